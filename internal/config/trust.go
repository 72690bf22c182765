package config

import "fmt"

// wrong tells what the rendering of trust lacks, and of which key.
func (t Trust) wrong(k Keystore) (key, text string) {
	switch {
	case (t.PKCS12 != "" || t.JKS != "") && t.PasswordFile == "":
		return "trust.password_file", "trust.password_file is needed for trust.pkcs12 and trust.jks; there is no default password"
	case t.Reload && (k.File == "" || k.Reload == "none" || k.Reload == "restart"):
		return "trust.reload", "trust.reload needs keystore.file, and manager or command in keystore.reload"
	}
	seen := map[string]string{}
	for _, file := range []struct{ key, path string }{
		{"keystore.file", k.File}, {"trust.pkcs12", t.PKCS12}, {"trust.jks", t.JKS}, {"trust.pem", t.PEM},
	} {
		if other := seen[file.path]; file.path != "" && other != "" {
			return file.key, fmt.Sprintf("%s %q is also %s", file.key, file.path, other)
		}
		seen[file.path] = file.key
	}
	return "", ""
}

func checkFilesHere(value any) string {
	for _, path := range value.([]string) {
		if wrong := checkAbsolute(path); wrong != "" {
			return wrong
		}
	}
	return ""
}

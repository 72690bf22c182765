package config

// wrong tells what a way to reload a keystore lacks.
func (k Keystore) wrong() string {
	switch {
	case k.File == "" || k.Reload == "none":
		return ""
	case k.Reload == "manager" && k.URL == "":
		return "needs keystore.url"
	case (k.Reload == "command" || k.Reload == "restart") && len(k.Command) == 0:
		return "needs keystore.command"
	case k.Address == "":
		return "needs keystore.address, so that it can be proved"
	}
	return ""
}

// wrong tells what a renewal lacks.
func (r Renewal) wrong() string {
	switch {
	case len(r.Command) > 0 && r.File == "":
		return "needs renewal.file, which the program leaves"
	case len(r.Command) > 0 && r.PasswordFile == "":
		return "needs renewal.password_file, which opens renewal.file"
	}
	return ""
}

func checkEndpoint(value any) string {
	if address := value.(string); address != "" {
		return checkEndpoints([]string{address})
	}
	return ""
}

func checkManager(value any) string {
	if address := value.(string); address != "" {
		return checkURL(address)
	}
	return ""
}

package keystore

// Object identifiers, as the bytes that stand in files.
const (
	pkcs1 = "\x2a\x86\x48\x86\xf7\x0d\x01" // 1.2.840.113549.1

	oidRSA = pkcs1 + "\x01\x01"

	oidData          = pkcs1 + "\x07\x01"
	oidEncryptedData = pkcs1 + "\x07\x06"

	oidKeyBag      = pkcs1 + "\x0c\x0a\x01\x01"
	oidShroudedBag = pkcs1 + "\x0c\x0a\x01\x02"
	oidCertBag     = pkcs1 + "\x0c\x0a\x01\x03"
	oidCRLBag      = pkcs1 + "\x0c\x0a\x01\x04"
	oidSecretBag   = pkcs1 + "\x0c\x0a\x01\x05"
	oidNestedBag   = pkcs1 + "\x0c\x0a\x01\x06"

	oidX509         = pkcs1 + "\x09\x16\x01"
	oidFriendlyName = pkcs1 + "\x09\x14"
	oidLocalKeyID   = pkcs1 + "\x09\x15"
	oidTrusted      = "\x60\x86\x48\x01\x86\xf9\x66\xad\xca\x7b\x01\x01" // Oracle's trustedKeyUsage
	oidAnyUsage     = "\x55\x1d\x25\x00"

	oidPBES2  = pkcs1 + "\x05\x0d"
	oidPBKDF2 = pkcs1 + "\x05\x0c"
	oidPBMAC1 = pkcs1 + "\x05\x0e"
	oidScrypt = "\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"

	oidHMACSHA1   = "\x2a\x86\x48\x86\xf7\x0d\x02\x07"
	oidHMACSHA224 = "\x2a\x86\x48\x86\xf7\x0d\x02\x08"
	oidHMACSHA256 = "\x2a\x86\x48\x86\xf7\x0d\x02\x09"
	oidHMACSHA384 = "\x2a\x86\x48\x86\xf7\x0d\x02\x0a"
	oidHMACSHA512 = "\x2a\x86\x48\x86\xf7\x0d\x02\x0b"

	oidSHA1   = "\x2b\x0e\x03\x02\x1a"
	oidSHA224 = "\x60\x86\x48\x01\x65\x03\x04\x02\x04"
	oidSHA256 = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	oidSHA384 = "\x60\x86\x48\x01\x65\x03\x04\x02\x02"
	oidSHA512 = "\x60\x86\x48\x01\x65\x03\x04\x02\x03"

	oidAES128 = "\x60\x86\x48\x01\x65\x03\x04\x01\x02"
	oidAES192 = "\x60\x86\x48\x01\x65\x03\x04\x01\x16"
	oidAES256 = "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"
	oid3DES   = "\x2a\x86\x48\x86\xf7\x0d\x03\x07"

	oidOldRC4128 = pkcs1 + "\x0c\x01\x01"
	oidOldRC440  = pkcs1 + "\x0c\x01\x02"
	oidOld3DES   = pkcs1 + "\x0c\x01\x03"
	oidOld2DES   = pkcs1 + "\x0c\x01\x04"
	oidOldRC2128 = pkcs1 + "\x0c\x01\x05"
	oidOldRC240  = pkcs1 + "\x0c\x01\x06"

	oidJKS   = "\x2b\x06\x01\x04\x01\x2a\x02\x11\x01\x01" // Sun's protector of JKS
	oidJCEKS = "\x2b\x06\x01\x04\x01\x2a\x02\x13\x01"     // PBEWithMD5AndTripleDES, Sun's own
)

// dotted is an identifier as people write it.
func dotted(oid string) string {
	out, n := []byte{}, 0
	for i := range len(oid) {
		n = n<<7 | int(oid[i]&0x7f)
		if oid[i]&0x80 != 0 {
			if n > 1<<40 {
				return "too long to be one"
			}
			continue
		}
		if len(out) == 0 {
			first := min(n/40, 2)
			out = appendNumber(out, first)
			n -= first * 40
		}
		out = appendNumber(append(out, '.'), n)
		n = 0
	}
	return string(out)
}

func appendNumber(out []byte, n int) []byte {
	if n >= 10 {
		out = appendNumber(out, n/10)
	}
	return append(out, byte('0'+n%10))
}

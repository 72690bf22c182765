package trust

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/coterie-ha/coterie/keystore"
)

// ErrNoCertificate means that a file has no certificate.
var ErrNoCertificate = errors.New("no certificate in PEM or DER")

// FirstCertificate is the first certificate of a file: that of a server, if its chain
// follows. A private key in it is passed over.
func FirstCertificate(path string) (*x509.Certificate, error) {
	data, err := keystore.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE" || block.Type == "X509 CERTIFICATE" {
			return parsed(path, block.Bytes)
		}
	}
	if len(data) == 0 || data[0] != 0x30 {
		return nil, fmt.Errorf("%s: %w", path, ErrNoCertificate)
	}
	return parsed(path, data)
}

func parsed(path string, der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrNoCertificate, err)
	}
	return c, nil
}

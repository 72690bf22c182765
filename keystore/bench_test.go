package keystore

import "testing"

// A usual store is to be loaded within 10 ms.
func BenchmarkLoad(b *testing.B) {
	for _, f := range samples(b) {
		if f.fails != nil {
			continue
		}
		switch f.name {
		case "pkcs12-rsa.ks", "pkcs12-three.ks", "pkcs12-chain.ks", "ossl-default.p12", "jks-three.ks", "jceks-three.ks", "kt-rounds.p12":
			data := f.bytes(b)
			b.Run(f.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Read(data, f.pass); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

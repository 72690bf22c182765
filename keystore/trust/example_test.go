package trust_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/coterie-ha/coterie/keystore/trust"
)

// Who has a node's login and not its key cannot have his certificate trusted.
func ExampleStore_Believed() {
	identity := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := identity.Public().(ed25519.PublicKey)
	id := sha256.Sum256(public)
	entry := trust.Entry{
		Alias: "app-a", Node: "app-a", Certificate: []byte("of app-a"),
		ID: hex.EncodeToString(id[:16]), Identity: public, Signature: trust.Sign(identity, "cluster", "app-a", []byte("of app-a")),
	}
	forged := entry
	forged.Alias, forged.Certificate = "app-a:next", []byte("of somebody")
	entries := []trust.Entry{entry, forged}
	store, err := trust.Store{Version: 7, Digest: trust.Digest(entries), Entries: entries}.Believed("cluster")
	fmt.Println(len(store.Entries), err)
	// Output: 1 app-a:next: it is not signed by the identity of the node
}

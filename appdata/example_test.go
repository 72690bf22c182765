package appdata_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coterie-ha/coterie/appdata"
)

// An empty mount point is absence, not loss.
func ExampleShare_Probe() {
	folder, err := os.MkdirTemp("", "share")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	share := appdata.Share{Path: folder, Cluster: "deploy-prod", ID: "5f0c7a52", Node: "app-a"}

	look := func() {
		c, err := share.Probe(context.Background())
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s (%s)\n", c.State, c.Reason)
	}
	look()
	if err := appdata.CreateMarker(folder, appdata.Marker{Cluster: "deploy-prod", ID: "5f0c7a52", Generation: 1}); err != nil {
		panic(err)
	}
	look()
	share.Cluster, share.ID = "deploy-test", "0a9d8c1e"
	look()
	// Output:
	// NOT_MOUNTED (no marker: nothing is mounted here)
	// OK ()
	// WRONG_SHARE (belongs to cluster deploy-prod (5f0c7a52))
}

func ExampleCompare() {
	folder, err := os.MkdirTemp("", "share")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			panic(err)
		}
	}
	write("log4j.properties", "level=info")
	write("installed.version", "8.0.1")

	before, err := appdata.Scanner{Root: folder}.Scan(context.Background())
	if err != nil {
		panic(err)
	}
	write("log4j.properties", "level=debug")
	write("new.jar", "PK")
	after, err := appdata.Scanner{Root: folder, Known: before.Dir}.Scan(context.Background())
	if err != nil {
		panic(err)
	}
	for c := range appdata.Compare(before, after) {
		fmt.Println(c.Change, c.Path)
	}
	// Output:
	// modified log4j.properties
	// created new.jar
}

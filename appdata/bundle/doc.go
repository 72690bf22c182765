// Package bundle carries an application's files from one environment to another
// in one file, and says in what two or three such trees differ.
//
// An application that is clustered by hand is set up on a development server,
// then on a first and on a second one in production, and each time its files are
// copied: all of them, so that the second server is told the address of the first
// in its licence, its ports and its database; or some, so that what somebody added
// by hand is missing and nobody knows. What is carried that way is also run with the
// rights of the server, wherever it came from.
//
// # Nouns
//
//	Profile    which files of a product belong into a bundle, and what each is to
//	           its host, its tier and its cluster: a Class
//	Tier       an environment: dev, test, prod
//	Bundle     one file: a tar compressed by zstd, with a manifest before all else
//	Entry      a folder, file or link of the bundle, as its manifest has it
//	Plan       what an import would change in a tree, each change with its reason
//	Policy     how far an import goes: FULL, PARTIAL, NONE
//	Journal    what an import is about to do, and how to take it back
//	Column     one of the trees that are compared
//	Sieve      what is the same in all the folders that are compared
//
// # The classes
//
//	shared        the same everywhere
//	field_merged  the same but for some fields, as the ports in server.xml
//	secret        never in a bundle
//	per_host      one host's own, as a licence: never in a bundle, never overwritten
//	tier_bound    one tier's own, as the connection to its database: in the bundle, never
//	              overwritten, and put only into a tree of the same tier
//	ignored       nobody's
//	unbundled     what the profile does not mention; no bundle has it
//
// What a file is to a host is for that host to say: an import goes by the classes
// of the profile there and by those of the bundle, and each can only withhold.
//
// # The file
//
//	zstd frames of 4 MiB or less of this:
//	  .coterie/manifest     a header, then a line for each entry with its SHA-256
//	  .coterie/signature    Ed25519, of the manifest; or nothing
//	  conf/                 the entries, in the order of the manifest
//	  conf/server.xml       as ustar, and pax where a name or a size needs it
//	  two blocks of zeros
//
// Nothing in it depends on who made it, when, or with how many processors: the
// same files make the same bundle, byte for byte. Times are the files' own, to the second;
// owners are not carried. Since the manifest is first, it is proved whose it is
// before anything else is looked at, and since it has all digests, that proves all.
//
// # Laws
//
//   - A bundle was made by anybody. What its manifest says is checked before
//     anything is believed, and what follows must be that, to the byte: no other
//     member, order, size, mode or end. Each path is checked as it is spelled;
//     nothing is cleaned up so that it fits.
//   - Memory is bounded whatever a bundle says: the manifest by MaxManifest, all
//     else by a window of 8 MiB. Bytes are bounded by what the manifest owns up to.
//   - A bundle is read to its end and found good before the first byte is written.
//   - Nothing is written but below the root, through no link, into folders that the
//     manifest names. What is neither as the plan found it nor as it shall be is
//     left alone.
//   - A file is the old one or the new one, and what was replaced is kept.
//   - Secrets are in no bundle, and no digest of one is shown.
//
// # One import
//
//	read all of the bundle, and believe it
//	compare                    -> the plan; with NONE, or a dry run, that is all
//	.coterie/bundle/stage      new contents, and the journal
//	rename to N.doing          from here on: forward
//	each path in turn          old file linked aside, new one renamed into its place
//	rename to N.done           what --undo goes by
//
// Whoever is killed before the rename leaves the tree as it was; after it each file
// is old or new, and the same command, or any other import into that tree, first goes on
// with what was begun. Undo walks the journal from its end. A file that somebody
// changed meanwhile is neither overwritten nor taken back: it is told.
//
// One at a time works on a tree, by a lock that dies with its process.
//
// # One comparison
//
// Folders are first read side by side, and what is the same in all of them to the last
// byte is done with (a Sieve). The rest is scanned, and trees are walked together only
// where their sums differ. Each path that is not
// the same everywhere is told with its class. A file that is in no bundle, because
// the profile does not mention it, is told with the pattern that would take it in,
// and that pattern takes in nothing else but its like.
//
// The package knows no database, and starts no process.
package bundle

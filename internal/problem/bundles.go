package problem

// bundles are the problems of files that are carried from one environment to another.
func bundles() []Entry {
	return []Entry{
		{"COT-360", ExitFailed, "bundle is damaged or not as its manifest says",
			"bring the file again from where it was made, and compare the digests: sha256sum",
			`The file is no bundle, ends too early, or has something else in it than its
manifest says: another member, size, mode or content, one too many or too few.
All of a bundle is read and held against its manifest before anything is
written, so nothing was changed.`},
		{"COT-361", ExitRefused, "bundle has a name that is not taken",
			"find out who made the bundle; one that coterie bundle export made has no such name",
			`A path in the bundle is absolute, leads out of the tree or through a link, has
characters or names that some file system takes for something else (backslash,
colon, control characters, CON, a dot or a blank at the end), differs from
another in case alone, or is what Coterie keeps for itself. Such a bundle was
not made by coterie bundle export. Nothing was changed.`},
		{"COT-362", ExitRefused, "bundle is too large",
			"if it is meant to be that large: --most 200GiB",
			`The bundle says that it has more bytes or more names than is allowed, or wants
more memory to be unpacked than any bundle needs, or there is not enough room
for it. Nothing was changed.`},
		{"COT-363", ExitRefused, "nobody vouches for the bundle",
			"coterie bundle import --trust KEY.pub; or say --unsigned if you know where it comes from",
			`A bundle becomes configuration and programs of the server, so it is imported
only when it is signed by a key that is trusted here. It is not signed, or no
--trust was said. Nothing was changed.`},
		{"COT-364", ExitRefused, "bundle is signed by another key, or the signature is wrong",
			"compare the fingerprints of the keys: coterie bundle inspect",
			`None of the keys that are trusted here has made the signature, or the manifest
was changed after it. Nothing was changed.`},
		{"COT-365", ExitRefused, "bundle is of another tier",
			"if it shall go from that tier to this one: --from-tier TIER",
			`The bundle was made in another environment than the one it is to be imported
into, and so has its addresses, features and tests. Where that is meant, as
from dev to prod, it is said. What the profile calls a tier's own is not
imported even then.`},
		{"COT-366", ExitRefused, "bundle is of another version of the product",
			"update the product here first; or --from-version VERSION",
			`Configuration of one version of a product is often wrong for another. The
version is read from the file that the profile names, or said with
--product-version. Nothing was changed.`},
		{"COT-367", ExitRefused, "tree does not fit the bundle",
			"mend what is named by hand, then import again",
			`Something in the tree is not of the kind that the bundle needs: a file where a
folder should be, a link on the way, a file whose fields that may differ
cannot be told from those of the bundle, or one that may not be read. Nothing
was changed.`},
		{"COT-368", ExitPartly, "files were changed while a bundle was imported or taken back",
			"look at the files that are named; what was there before is in .coterie/bundle",
			`Somebody changed files between the plan and the moment in which they were to
be replaced. These were left as they are; all others were done.`},
		{"COT-369", ExitRefused, "another import is at work",
			"wait for it",
			`One import at a time works on a tree. Nothing was changed by this one. Where
file locks are not to be had, a lock file that a killed import has left must
be removed by hand.`},
		{"COT-370", ExitNone, "nothing to take back",
			"ls .coterie/bundle below the root shows which imports are kept",
			`There is no import into this tree that could be undone. The three last ones
are kept.`},
		{"COT-371", ExitDegraded, "tree is not as the bundle says",
			"coterie bundle import --policy full -n shows what an import would change",
			`With the policy NONE an import changes nothing: it is said that the files are
there already. They were held against the bundle, and that is not so.`},
		{"COT-372", ExitRefused, "tree cannot be put into a bundle",
			"rename the files, or leave them out with --exclude",
			`A file has a name that not every file system can keep, differs from another in
case alone, may not be read, was changed again and again while it was read, or
is a link that leads out of the tree. No bundle was written.`},
		{"COT-373", ExitUsage, "profile cannot be used",
			"see the manual page bundles for what a profile has",
			`The file that --profile names is not there, is no YAML, has a key that
profiles do not have, or a pattern that can fit nothing.`},
		{"COT-374", ExitUsage, "key for bundles cannot be used",
			"coterie bundle key --out FILE makes one",
			`The file is not there, is no Ed25519 key in PEM, or is a private key where the
public one was asked for, or the other way round. A private key that others
may read is refused as well.`},
		{"COT-375", ExitRefused, "not the bundle that was to come",
			"bring the file again that the export wrote",
			`A bundle has another digest than the one that was named. It is whole, but it is
an older or another one: what arrived is not what was sent. Or the step of a
set-up that exported it has not told its digest, and any bundle would do.
Nothing was imported.`},
	}
}

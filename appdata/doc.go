// Package appdata is the shared folder as a value: what belongs in it, whose it
// is, and what a node sees of it.
//
// An application that was made for one server keeps its files in one folder; a
// cluster puts that folder on a network file system that all nodes mount. Such
// a mount fails in ways a local disk does not. It can be absent, and then the
// empty mount point looks as if everything had been deleted. It can be another
// share, or an old copy of the right one. It can turn read-only, fill up, show
// what was true a minute ago, or stop answering for good. This package finds
// out which, and gives it a name.
//
// # Nouns
//
//	Layout     what an application keeps where; each file has a Class
//	Share      where the folder is for this node, and what it must be
//	Marker     the folder's own word on whose it is (.coterie/cluster.json)
//	Condition  what one probe found: a State, the reason, the facts
//	Judge      turns single probes into a verdict that does not flutter
//	Prober     the loop: probes again and again, tells what changed
//	Word       what each node writes to prove that all see one folder
//	Watcher    hears from this host's kernel where something happened; Look looks there
//	Lookout    looks again and again at the few paths that matter most
//	Scanner    walks the folder; Manifest is what it found, Compare what changed between two
//	Glance     what is known of a directory as a whole: one that looks so is the same
//
// # One probe
//
//	open the folder        -> absent?  NOT_MOUNTED     does not answer?  HUNG
//	name its mount         -> another kind of file system than expected?
//	read the marker        -> none: NOT_MOUNTED, or WRONG_SHARE if something is mounted
//	                          another cluster's: WRONG_SHARE    older: OLD_GENERATION
//	list it                -> readable
//	write, force to disk,     READ_ONLY, FULL; reads something else than was
//	rename, read, remove   -> written: STALE; the time it took: latency
//	keep my highest token, -> a database that knows a lower one was restored
//	read those of all
//	ask for free space     -> FULL, DEGRADED
//
// The worst finding is the state; the reason tells all of them.
//
// # Laws
//
//   - Absence proves nothing. Only a folder that answered and carries our marker
//     may be believed about what is in it; an error on the way to it never means
//     that a file is gone.
//   - Nothing is written to a folder that is not ours, and the folder of a share
//     that is not mounted is never made up. A marker is made only where none is,
//     in one step, so of two clusters in one folder one gets it; its generation
//     only rises.
//   - What lies on the share was put there by anybody. Our own files are opened
//     only below the folder (os.Root, or by its own name in its open parent), only
//     if they are regular files, and read only so far; a FIFO is not waited for, a link not followed out.
//   - Only what the server said just now counts. Network clients remember: names
//     that were not there, attributes, on SMB even which file a name meant. So
//     directories are opened and listed anew before their files are believed,
//     and each written file has new contents.
//   - Nothing here compares the host's clock with the share's.
//
// # Who may hang
//
// Any call that touches the share may never return. Share.Probe is
// therefore called by a worker process (package worker), which is killed when
// it is late; the agent itself calls only MountAt, which reads what the kernel
// knows and touches nothing.
//
//	Prober.Run -> worker.Pool.Probe == pipe ==> Share.Probe -> the share
//	    |
//	    +-- Judge.Next -> report: only news, else every few minutes
//
// A report that nobody could take (the database is away) is made again after
// the next probe. Bad news counts at once, good news when it was seen twice:
// a share that comes and goes is bad.
//
// # One scan
//
// A scan lists each folder, asks for the attributes of what is in it, and reads
// only the files that look different from what an earlier scan knew. Each
// folder gets two sums over all below it, so that two trees are compared by
// looking only where they differ.
//
//   - A file that changed in the moment in which it was read can change again
//     and look the same; by git's rule it is read again next time. Moments are
//     those of the share's clock.
//   - Names are bytes. Only files and folders are opened, each by its own name
//     in its open parent, never through a link: who swaps one for another
//     meanwhile leads the scan nowhere.
//   - What may not be read is an entry with an error, and Compare calls it
//     uncertain. A scan before or after which the marker was not there is void.
//   - A scan that is interrupted keeps what it knows, and is taken up.
//
// # One watch
//
//	this kernel's events   -> Watcher  -+
//	an SMB server's notice -> Listener -+-> Dirty: folders, and files being written -> Look.Do -> Looked
//	looks each second      -> Lookout  -+
//
// A watch says where to look; what changed is the difference between what is
// there and what is known. A Watcher hears nothing of other hosts, a Listener hears
// of all but not all. Whatever they know to have missed they say (Dirty.Lost), and a
// scan looks for it.
//
// # What each node has of its own
//
//	Equal  which local files must be as on the other nodes, and which fields in them may differ
//	Own    a scan of them by a worker; its sums leave times out, its digests those fields
//	Take   brings one from another node, through a copy aside in the share
//
// Such a tree is believed as it is found: what is missing is missing, what cannot be
// read or understood is told as that. Field by field only texts of a bounded size are
// compared; whatever else lies there costs an entry with an error. Nothing is written
// but by Take, below the root that this node's configuration names, at paths that must
// be equal; what is replaced is kept.
//
// The package knows no database. What it finds leaves as values; the wiring
// writes them with coterie.storage_report, and coterie.storage_state has the
// same words as State.
package appdata

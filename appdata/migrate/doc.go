// Package migrate moves the application data of one server from its local folders
// to the folder that a cluster shares, so that a second server can be set beside it.
//
// The data are all that the server has. Whatever ends a migration (a signal, the
// power, a share that fills up or goes away), the server must be able to start
// again, from the old folders or from the new one, and nothing may be lost: not a
// file, not a byte of the server's own configuration.
//
// # Nouns
//
//	Profile    what one product keeps where, and how it is told to look elsewhere
//	Site       what was found of an installation: its layout, its items, its edit
//	Plan       a Site, the share, and what an administrator has said; a file
//	Objection  why a plan is not carried out as it is; some may be accepted
//	Journal    what has been done of a plan, at both ends
//	Step       one thing to do; Next says which, and nothing else decides
//	Proof      that a file has one content at both ends, and how both looked then
//	Reading    another host's word that it has read every proved content on the share
//
// # The way of a plan
//
//	             old folders                               share
//	begin        .coterie/migration-ID/journal       <->   .coterie/migrations/ID/journal, claim
//	copy         untouched                            ->   .coterie/migrations/ID/stage/...
//	prove        read                                <->   read; manifest
//	publish      untouched                                 stage/ITEM renamed to ITEM
//	cut          the property edited, or links put         in use
//	  ...        kept                                      another host reads all of it
//	clear        deleted                                   in use
//
//	back:  restore (undo cut) -> withdraw (ITEM to stage) -> sweep (stage and journals deleted)
//
// Up to cut the server knows nothing of the share; after it the old folders stand as
// they were. So at each moment one of both is whole, and cut is one rename of one
// file (with links: one exchange of names per item, each of which has one content at
// both ends).
//
// # Laws
//
//   - Each step may be done again. A journal says which are behind us; a step that
//     was begun and not ended is done once more, and what it finds done it leaves.
//   - That a step is done and that the next is begun is one word to both journals: each
//     costs round trips and waits for two disks. What a step has to be known of before
//     anything of it is done (the names that Publish gives) is in that word.
//   - The share's journal is written before the local one, so that it knows at
//     least as much. A share that knows less is another share, or an older state
//     of it: nothing is done then.
//   - Nothing is written below the old folders, and nothing is renamed to a name of
//     the share that is taken.
//   - A file of the stage that was not proved is not published. A proof holds as
//     long as both files look as they did; else they are read again. So does the digest
//     of a small original, taken from what was copied: its copy is read and compared with
//     that, and the original is read a second time only if it looks otherwise.
//   - The originals are deleted last, when asked to, and only after another host has
//     read every proved content through its own mount (or somebody has said that
//     there is none). An original that is not as it was proved stays.
//   - Going back never deletes what changed on the share after the cut.
//   - The edit of a properties file changes the value and no other byte; going back
//     gives the file that was, to the byte.
//
// # On failure
//
// An error leaves the journal where it is, and the same call goes on from there. A
// signal ends a copy after a whole file. What changes while it is copied is copied
// again; what does not come to rest is told, and nothing is published.
//
// The package knows no database; what moves leaves by Progress.
package migrate

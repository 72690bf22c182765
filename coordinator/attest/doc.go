// Package attest proves that all nodes see one share.
//
// A marker file says whose a folder is, and a copy of the folder has it too: a
// replica, a snapshot of yesterday, the export of the other site. Each node that
// looks only at its own mount finds all in order, and the nodes work on different
// files. So each node is asked for something that no copy can have.
//
//	app-a                     the database                       app-b
//	draws a nonce
//	writes NONCE 1 to the share
//	        ------- NONCE ------>
//	                             ------- app-a says NONCE ------>
//	writes NONCE 2, NONCE 3 ...                                  reads NONCE 2, NONCE 3 through its own mount
//	                             <------ app-b sees app-a -------
//	        <-- app-b sees you --
//
// # Nouns
//
//	Word     what a node's challenge file says: its nonce, and a rising round (appdata.Word)
//	Peer     another node that lives, has told its nonce, and can use its share
//	Sight    whether a node sees a peer's words; Unknown until that can be told
//	Circle   one node's memory of all this; it decides, and does nothing else
//	Verdict  whether the node is proved, what it waits for, what is wrong
//
// # Laws
//
//   - A nonce is seen, or it is not: who sees it looks at the folder that the peer
//     writes to. It is fresh when the round rises while one looks, or when the
//     peer told its nonce after the looking began; memory of a client and copies
//     of a folder have neither.
//   - Before a node is ready, it and each peer that is ready, or came before it,
//     have seen each other. So of nodes that start together on different folders
//     one becomes ready, and no two on different ones.
//   - A node that is ready stays so while most of the nodes, or half of them with
//     the one that came first, see each other with it. The others say WRONG_SHARE,
//     or STALE where the right nonce stands still.
//   - A node whose own file does not say what it wrote there last has another
//     folder before it (appdata says so), whoever else sees what.
//   - What is told to the database is news: a healthy hour is silent. Rounds are
//     on the share alone.
//   - A peer that is frozen, dead, or cannot use its own share proves nothing and
//     is not waited for. One that says WRONG_SHARE or STALE is looked for all the
//     same: it may say so because it was not seen, and is well when it is.
//
// # Failure
//
// A database that is away leaves the last verdict; without it no lease is held
// anyway. A round that was written, though nobody heard so, is as good as one that
// was heard of. One that was given to a look which was killed may be written after a
// later one: for a minute after the share answers again the file may say that. Durations are this process's own; the database alone says who
// came first.
package attest

// Package coordinator is a node's citizenship: how it joins the cluster, what
// operators want of it, what it says of itself, and how it leaves.
//
// # The problem
//
// An administrator installs the same agent beside several servers and expects
// that they find each other, that a copied installation is refused instead of
// corrupting the cluster, that a node which is told to drain really stops taking
// work, and that a node which is stopped hands everything over before it goes.
// And somebody who looks from outside must be able to tell what was wanted of a
// node from what it did.
//
// # Nouns
//
//   - An identity is a key pair made once, when an installation joins for the
//     first time, and kept in the node's state directory. Its fingerprint is the
//     node's id. Name and id go together: another id under the same name, or the
//     same id under another name, is refused with a row in the ledger that says so.
//   - A goal is what operators want of a node: ready or drained. Only they write it.
//   - A state is what the node reports of itself. Only it writes it, fenced by its
//     session, and only when it changes.
//   - Facts are what a node knows when it chooses its state: whether it was told to
//     stop, the goal, whether the share was proved, how much it still holds.
//
// # States
//
//	          share proved            goal drained          nothing held
//	joining ---------------> ready ---------------> draining -----------> drained
//	   |  \                    ^  \                   |   ^                 |
//	   |   \ goal drained      |   \    goal ready    |   | goal ready      |
//	   |    `------------------+----`---- <-----------'   |                 |
//	   |                       `--------------------------+-----------------'
//	   |        stop: every state but left and evicted
//	   `-----> leaving ---------> left
//	                    nothing held
//
// The edges are rows of coterie.transition as well: node_report refuses a change
// that is not an edge, and a test holds this package's Next against the table.
// dead and suspect are never reported; the view coterie.nodes derives them from
// the session.
//
// # Laws
//
//   - Goal and state are two columns, written by different people.
//   - A report is a row only when something changed. A healthy hour is silent.
//   - A node that leaves stops taking, hands over, reports, and ends its session,
//     in this order. Load balancers are told before leases are given back.
//   - The coordinator knows nodes. It knows no jobs, files, keys or seats: what a
//     node holds is a number to it.
//
// # The former life
//
// An agent that was killed and starts again finds the session of its former life
// still there. It may replace it at once, instead of waiting for its end, when
// the former process is surely gone: the very file which its supervisor held
// locked until every job of it was dead could be locked, and the former life
// began on this very boot of this host. A copied state directory has another
// lock file; it waits, like everybody else, for two clocks to agree, and gives up
// when it sees its original at work (node.refused in the ledger).
//
// # Failure
//
//	the database is away      reports wait; the state last reported stays, and its age shows
//	another id has the name   ErrNameTaken, and the ledger says node.refused
//	the id has another name   ErrCopied: a copied installation
//	another cluster is here   *WrongClusterError
//	a second agent starts     ErrRunning: the lock in the state directory is taken
package coordinator

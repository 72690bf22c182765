// Package shares runs real agents on real mounts: two directories, or two mounts
// of one, stand for what two hosts have before them.
package shares

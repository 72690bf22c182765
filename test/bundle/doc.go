// Package bundle shows by the built program what becomes of bundles that were made to do
// harm, and of trees whose import was killed: nothing outside is touched, memory is
// bounded, each refusal has its code, and a tree is brought to its end or taken back.
package bundle

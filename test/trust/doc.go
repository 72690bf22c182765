// Package trust holds trust between servers against real parts: agents as processes
// beside servers that speak TLS, and Java and OpenSSL as readers of what they render.
//
// Java and OpenSSL may be missing; then that test is skipped, and says so. On the
// machine that judges changes it fails.
package trust

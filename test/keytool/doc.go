// Package keytool holds what package keystore writes against its other readers: Java,
// keytool and OpenSSL open each file, and find in it what was written.
//
// It needs a JDK and OpenSSL (make tomcat). Without them its tests are skipped, and
// say so; on the machine that judges changes they fail.
package keytool

// Package tomcat holds keystores against the server that they are for: what package
// keystore writes is served by a real Tomcat, and the certificate that clients get
// is the one that was written.
//
// It needs a JDK and the libraries of Tomcat 10 (make tomcat). Without them its
// tests are skipped, and say so; on the machine that judges changes they fail.
package tomcat

import java.io.*;
import java.util.*;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http11.AbstractHttp11Protocol;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;

/** Args: base folder, and the port of the manager if there is to be one. A Tomcat with a connector for each line of stdin: port, keystore, type, password, key's password, alias, and for one that asks its clients for certificates: trust store, type, password; then an empty line. Each further line has it reload them. */
public class Serve {
    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[0]);
        tomcat.addContext("", args[0]);
        if (args.length > 1) { // the real manager, for everybody on this machine
            org.apache.catalina.Context manager = tomcat.addContext("/manager", args[0]);
            manager.setPrivileged(true);
            Tomcat.addServlet(manager, "Manager", "org.apache.catalina.manager.ManagerServlet");
            manager.addServletMappingDecoded("/text/*", "Manager");
            Connector plain = new Connector("org.apache.coyote.http11.Http11NioProtocol");
            plain.setPort(Integer.parseInt(args[1]));
            plain.setProperty("address", "127.0.0.1");
            tomcat.getService().addConnector(plain);
        }
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = in.readLine()) != null && !line.isEmpty(); ) {
            String[] f = line.split("\t", -1);
            Connector c = new Connector("org.apache.coyote.http11.Http11NioProtocol");
            c.setPort(Integer.parseInt(f[0]));
            c.setProperty("address", "127.0.0.1");
            c.setProperty("maxThreads", "2");
            c.setProperty("minSpareThreads", "1");
            c.setScheme("https");
            c.setSecure(true);
            c.setProperty("SSLEnabled", "true");
            SSLHostConfig host = new SSLHostConfig();
            SSLHostConfigCertificate cert = new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.UNDEFINED);
            cert.setCertificateKeystoreFile(f[1]);
            cert.setCertificateKeystoreType(f[2]);
            cert.setCertificateKeystorePassword(f[3]);
            if (!f[4].isEmpty()) cert.setCertificateKeyPassword(f[4]);
            cert.setCertificateKeyAlias(f[5]);
            host.addCertificate(cert);
            if (f.length > 6) {
                host.setTruststoreFile(f[6]);
                host.setTruststoreType(f[7]);
                host.setTruststorePassword(f[8]);
                host.setCertificateVerification("required");
            }
            c.addSslHostConfig(host);
            tomcat.getService().addConnector(c);
        }
        tomcat.start();
        System.out.println("started");
        for (String line; (line = in.readLine()) != null; ) { // until stdin ends
            for (Connector c : tomcat.getService().findConnectors()) {
                ((AbstractHttp11Protocol<?>) c.getProtocolHandler()).reloadSslHostConfigs();
            }
            System.out.println("reloaded");
        }
        System.exit(0);
    }
}

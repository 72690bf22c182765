import jakarta.servlet.http.*;
import java.io.*;
import java.nio.file.*;
import java.util.Properties;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** Args: base folder, the server's folder, port. An application that keeps its files where its installed.properties says, counted from bin, or in the server's folder when it says nothing; gives them to who asks, takes new ones, and writes its log there. */
public class Site {
    public static void main(String[] args) throws Exception {
        Path install = Path.of(args[1]);
        Properties told = new Properties();
        try (InputStream in = Files.newInputStream(install.resolve("conf/server/installed.properties"))) {
            told.load(in);
        }
        String where = told.getProperty("server.appdata.dir");
        Path appdata = where == null ? install : install.resolve("bin").resolve(where).normalize();
        PrintStream log = new PrintStream(new FileOutputStream(appdata.resolve("logs/deployserver.out").toFile(), true), true, "UTF-8");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[0]);
        Context app = tomcat.addContext("", args[0]);
        Tomcat.addServlet(app, "files", new HttpServlet() {
            protected void doGet(HttpServletRequest q, HttpServletResponse a) throws IOException {
                Path file = appdata.resolve(q.getPathInfo().substring(1));
                log.println("GET " + q.getPathInfo());
                if (!Files.isRegularFile(file)) a.sendError(404);
                else Files.copy(file, a.getOutputStream());
            }
            protected void doPut(HttpServletRequest q, HttpServletResponse a) throws IOException {
                log.println("PUT " + q.getPathInfo());
                Files.copy(q.getInputStream(), appdata.resolve(q.getPathInfo().substring(1)));
            }
        });
        app.addServletMappingDecoded("/*", "files");
        Connector c = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        c.setPort(Integer.parseInt(args[2]));
        c.setProperty("address", "127.0.0.1");
        tomcat.getService().addConnector(c);
        tomcat.start();
        System.out.println("started");
        while (System.in.read() >= 0) { } // until stdin ends
        System.exit(0);
    }
}

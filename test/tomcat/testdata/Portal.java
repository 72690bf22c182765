import java.nio.file.Path;
import org.apache.catalina.startup.Catalina;

/** Args: base folder, the server's folder. A Tomcat as its own scripts start it: connectors and applications are those of the folder's server.xml and webapps. */
public class Portal {
    public static void main(String[] args) throws Exception {
        System.setProperty("catalina.home", args[1]);
        System.setProperty("catalina.base", args[1]);
        System.setProperty("java.io.tmpdir", args[0]);
        Catalina server = new Catalina();
        server.setParentClassLoader(Portal.class.getClassLoader());
        server.load();
        if (server.getServer() == null || server.getServer().findServices().length == 0) System.exit(3);
        server.start();
        System.out.println("started");
        while (System.in.read() >= 0) { } // until stdin ends
        System.exit(0);
    }
}

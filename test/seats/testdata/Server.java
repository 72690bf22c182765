import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import org.apache.catalina.Context;
import org.apache.catalina.Session;
import org.apache.catalina.startup.Tomcat;

/** A Tomcat with one application, whose users ana, bob and cid have the password pw. */
public final class Server {
    private Server() { }

    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[0]);
        tomcat.setPort(0);
        for (String user : new String[] {"ana", "bob", "cid"}) {
            tomcat.addUser(user, "pw");
            tomcat.addRole(user, "user");
        }
        Context application = tomcat.addWebapp("", new File(args[1]).getAbsolutePath());
        tomcat.getConnector();
        tomcat.start();
        System.out.println("listens " + tomcat.getConnector().getLocalPort());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        while (in.readLine() != null) {
            Session[] sessions = application.getManager().findSessions();
            for (Session session : sessions) {
                session.expire();
            }
            System.out.println("expired " + sessions.length);
        }
        tomcat.stop();
    }
}

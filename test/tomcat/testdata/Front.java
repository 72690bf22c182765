import jakarta.servlet.http.*;
import java.io.*;
import java.util.Properties;

/** The application: says what it is told of its database, its licence and its release. */
public class Front extends HttpServlet {
    protected void doGet(HttpServletRequest q, HttpServletResponse a) throws IOException {
        for (String name : new String[] {"persist.properties", "license.properties", "custom.properties"}) {
            Properties told = new Properties();
            try (InputStream in = getServletContext().getResourceAsStream("/WEB-INF/config/" + name)) {
                if (in != null) told.load(in);
            }
            for (String key : new java.util.TreeSet<>(told.stringPropertyNames())) a.getWriter().println(key + "=" + told.getProperty(key));
        }
    }
}

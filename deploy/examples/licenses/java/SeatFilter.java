import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.URLEncoder;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import javax.servlet.Filter;
import javax.servlet.FilterChain;
import javax.servlet.FilterConfig;
import javax.servlet.ServletException;
import javax.servlet.ServletRequest;
import javax.servlet.ServletResponse;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.servlet.http.HttpSession;
import javax.servlet.http.HttpSessionBindingEvent;
import javax.servlet.http.HttpSessionBindingListener;

/**
 * Lets a logged-in user in while a licence seat can be had, and gives the seat back when the
 * session ends. It talks to the agent of this machine over its Unix socket (Java 16 or later).
 *
 * <p>Init parameters: socket (/run/coterie/agent.sock), pool (floating), renew (seconds between
 * renewals of a session that is used, 60), open (true: let users in when the agent does not
 * answer; it counts them when it is back).
 */
public class SeatFilter implements Filter {
    private static final String SEAT = SeatFilter.class.getName();

    private String socket;
    private String pool;
    private long renewMillis;
    private boolean open;

    @Override
    public void init(FilterConfig config) {
        socket = parameter(config, "socket", "/run/coterie/agent.sock");
        pool = parameter(config, "pool", "floating");
        renewMillis = 1000L * Long.parseLong(parameter(config, "renew", "60"));
        open = Boolean.parseBoolean(parameter(config, "open", "true"));
    }

    private static String parameter(FilterConfig config, String name, String otherwise) {
        String value = config.getInitParameter(name);
        return value == null ? otherwise : value;
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        HttpServletRequest asked = (HttpServletRequest) request;
        String user = asked.getRemoteUser();
        if (user != null && !seated(asked.getSession(), user, asked.getRemoteAddr())) {
            ((HttpServletResponse) response).sendError(HttpServletResponse.SC_SERVICE_UNAVAILABLE, "No licence seat is free");
            return;
        }
        chain.doFilter(request, response);
    }

    /** Checks a seat out for a session, or renews it. Whoever was let in once is never cut. */
    private boolean seated(HttpSession session, String user, String host) {
        Seat seat = (Seat) session.getAttribute(SEAT);
        if (seat != null && !seat.user.equals(user)) {
            session.removeAttribute(SEAT); // somebody else logged in: that gives the seat back
            seat = null;
        }
        if (seat != null && System.nanoTime() - seat.renewed < renewMillis * 1_000_000L) {
            return true;
        }
        // The container may change the session's id when the user logs in; the seat keeps the first one.
        String path = seat != null ? seat.path : "/v1/licenses/" + encode(pool) + "/holders/" + encode(user)
                + "?session=" + encode(session.getId()) + "&host=" + encode(host);
        int status;
        try {
            status = ask("PUT", path);
        } catch (IOException e) {
            session.getServletContext().log("licence agent at " + socket + ": " + e.getMessage());
            return open || seat != null;
        }
        if (status != 200 && seat == null) {
            return false;
        }
        if (seat == null) {
            session.setAttribute(SEAT, new Seat(user, path));
        } else {
            seat.renewed = System.nanoTime();
        }
        return true;
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** One request; the answer's status. Java's HTTP client knows no Unix sockets. */
    private int ask(String method, String path) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            ByteBuffer out = StandardCharsets.US_ASCII.encode(
                    method + " " + path + " HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            while (out.hasRemaining()) {
                channel.write(out);
            }
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            ByteBuffer in = ByteBuffer.allocate(4096);
            while (answer.size() < 12 && channel.read(in) >= 0) {
                answer.write(in.array(), 0, in.position());
                in.clear();
            }
            String[] words = answer.toString(StandardCharsets.US_ASCII).split(" ", 3);
            if (words.length < 2 || !words[0].startsWith("HTTP/")) {
                throw new IOException("the answer is none");
            }
            return Integer.parseInt(words[1].substring(0, 3));
        }
    }

    /** Lives in the session, and gives the seat back with it. */
    private final class Seat implements HttpSessionBindingListener {
        private final String user;
        private final String path;
        private volatile long renewed = System.nanoTime();

        Seat(String user, String path) {
            this.user = user;
            this.path = path;
        }

        @Override
        public void valueUnbound(HttpSessionBindingEvent event) {
            try {
                ask("DELETE", path);
            } catch (IOException e) {
                // Not renewed any more, it goes by the pool's idle time.
                event.getSession().getServletContext().log("licence agent at " + socket + ": " + e.getMessage());
            }
        }
    }
}

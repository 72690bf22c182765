import java.io.FileInputStream;
import java.security.KeyStore;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Dial TYPE FILE PASSWORD PORT...: calls servers as a Java client does that has this trust store. */
class Dial {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance(args[0]);
        try (FileInputStream in = new FileInputStream(args[1])) {
            store.load(in, args[2].toCharArray());
        }
        System.out.println(store.size() + " entries");
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        for (int i = 3; i < args.length; i++) {
            try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", Integer.parseInt(args[i]))) {
                SSLParameters parameters = socket.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                socket.setSSLParameters(parameters);
                socket.startHandshake();
                System.out.println("ok");
            } catch (javax.net.ssl.SSLException e) {
                System.out.println("refused");
            }
        }
    }
}

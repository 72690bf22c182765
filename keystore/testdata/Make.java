import java.io.*;
import java.security.*;
import java.security.cert.Certificate;
import java.util.*;

/** Makes keystores by Java's own interface, and tells what Java finds in one. */
public class Make {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("api")) {
            api();
            return;
        }
        // tell: lines of "type TAB path TAB password TAB key password" on stdin
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String[] f = line.split("\t", -1);
            try {
                out.println(f[1] + "\t" + tell(f[0], f[1], f[2].toCharArray(), f[3].toCharArray()));
            } catch (Exception e) {
                out.println(f[1] + "\tfailed: " + e);
            }
        }
    }

    static String tell(String type, String path, char[] pass, char[] keyPass) throws Exception {
        KeyStore ks = KeyStore.getInstance(type);
        try (InputStream in = new FileInputStream(path)) {
            ks.load(in, pass);
        }
        List<String> found = new ArrayList<>();
        for (String alias : Collections.list(ks.aliases())) {
            if (ks.isCertificateEntry(alias)) {
                found.add("trusted:" + alias + ":1");
                continue;
            }
            Key key;
            try {
                key = ks.getKey(alias, pass);
            } catch (UnrecoverableKeyException e) {
                key = ks.getKey(alias, keyPass);
            }
            if (!(key instanceof PrivateKey)) {
                found.add("secret:" + alias + ":0");
                continue;
            }
            Certificate[] chain = ks.getCertificateChain(alias);
            String algorithm = switch (key.getAlgorithm()) {
                case "RSA" -> "SHA256withRSA";
                case "EC" -> "SHA256withECDSA";
                case "DSA" -> "SHA256withDSA";
                default -> "EdDSA";
            };
            Signature signer = Signature.getInstance(algorithm);
            signer.initSign((PrivateKey) key);
            signer.update(path.getBytes("UTF-8"));
            byte[] signature = signer.sign();
            if (chain != null && chain.length > 0) {
                Signature verifier = Signature.getInstance(algorithm);
                verifier.initVerify(chain[0].getPublicKey());
                verifier.update(path.getBytes("UTF-8"));
                if (!verifier.verify(signature)) throw new Exception(alias + " does not belong to its certificate");
            }
            found.add("key:" + alias + ":" + (chain == null ? 0 : chain.length));
        }
        Collections.sort(found);
        return String.join(" ", found);
    }

    static void api() throws Exception {
        KeyStore from = KeyStore.getInstance("PKCS12");
        char[] pass = "changeit".toCharArray();
        try (InputStream in = new FileInputStream("pkcs12-three.ks")) {
            from.load(in, pass);
        }
        KeyStore ks = KeyStore.getInstance("PKCS12");
        ks.load(null, null);
        ks.setKeyEntry("one", from.getKey("ec1", pass), pass, from.getCertificateChain("ec1"));
        Thread.sleep(5);
        ks.setKeyEntry("two", from.getKey("ed", pass), "secret7".toCharArray(), from.getCertificateChain("ed"));
        save(ks, "api-keypass.p12", pass);
        save(ks, "api-sealed.p12", pass);
        for (String type : new String[] {"PKCS12", "JKS"}) {
            KeyStore empty = KeyStore.getInstance(type);
            empty.load(null, null);
            save(empty, "api-empty." + (type.equals("JKS") ? "jks" : "p12"), pass);
        }
        System.setProperty("keystore.pkcs12.macAlgorithm", "NONE");
        System.setProperty("keystore.pkcs12.certProtectionAlgorithm", "NONE");
        KeyStore trust = KeyStore.getInstance("PKCS12");
        trust.load(null, null);
        trust.setCertificateEntry("peer", from.getCertificate("ec1"));
        save(trust, "api-nopass.p12", null);
    }

    static void save(KeyStore ks, String name, char[] pass) throws Exception {
        try (OutputStream out = new FileOutputStream(name)) {
            ks.store(out, pass);
        }
    }
}

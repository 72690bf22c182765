import java.io.*;
import java.util.*;

/** Fails unless each file N.after is N.before with a key set to a value; args: folder, key, value. */
public class Props {
    public static void main(String[] args) throws Exception {
        int n = 0;
        for (; new File(args[0], n + ".before").exists(); n++) {
            Properties before = load(new File(args[0], n + ".before")), after = load(new File(args[0], n + ".after"));
            before.setProperty(args[1], args[2]);
            if (!before.equals(after)) {
                System.out.println(n + ": want " + before + "\n   got  " + after);
                System.exit(1);
            }
        }
        System.out.println(n + " alike");
    }

    static Properties load(File file) throws Exception {
        Properties p = new Properties();
        try (InputStream in = new FileInputStream(file)) {
            p.load(in);
        }
        return p;
    }
}

import java.io.*;
import java.util.*;

/** Fails unless the second file of properties is the first one with a key set to a value. */
public class Props {
    public static void main(String[] args) throws Exception {
        Properties before = load(args[0]), after = load(args[1]);
        before.setProperty(args[2], args[3]);
        if (!before.equals(after)) {
            System.out.println("want " + before + "\ngot  " + after);
            System.exit(1);
        }
    }

    static Properties load(String file) throws Exception {
        Properties p = new Properties();
        try (InputStream in = new FileInputStream(file)) {
            p.load(in);
        }
        return p;
    }
}

import java.io.*;
import java.nio.file.*;
import java.util.*;

/**
 * Fails unless each file N.after is N.before with a key set to the text of N.value, and N.was is what the
 * key had before, if it had anything; args: folder, key.
 */
public class Edited {
    public static void main(String[] args) throws Exception {
        int n = 0, bad = 0;
        for (; new File(args[0], n + ".before").exists(); n++) {
            Properties before = load(new File(args[0], n + ".before")), after = load(new File(args[0], n + ".after"));
            String was = text(new File(args[0], n + ".was")), value = text(new File(args[0], n + ".value"));
            if (!Objects.equals(was, before.getProperty(args[1]))) {
                System.out.println(n + ": java reads " + before.getProperty(args[1]) + ", and we " + was);
                bad++;
            }
            before.setProperty(args[1], value);
            if (!before.equals(after)) {
                System.out.println(n + ": want " + before + "\n   got  " + after);
                bad++;
            }
        }
        System.out.println(n + " files, " + bad + " not alike");
    }

    static String text(File file) throws Exception {
        return file.exists() ? new String(Files.readAllBytes(file.toPath()), "UTF-8") : null;
    }

    static Properties load(File file) throws Exception {
        Properties p = new Properties();
        try (InputStream in = new FileInputStream(file)) {
            p.load(in);
        }
        return p;
    }
}

import com.sun.tools.attach.VirtualMachine;
import java.util.Set;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/**
 * Has a Tomcat that runs here read its keystores anew, without its manager and without
 * a JMX port: java ReloadTLS.java PID PORT. Same user as Tomcat; needs a JDK.
 */
public class ReloadTLS {
    public static void main(String[] args) throws Exception {
        VirtualMachine tomcat = VirtualMachine.attach(args[0]);
        String address = tomcat.startLocalManagementAgent();
        tomcat.detach();
        try (JMXConnector line = JMXConnectorFactory.connect(new JMXServiceURL(address))) {
            MBeanServerConnection beans = line.getMBeanServerConnection();
            Set<ObjectName> handlers = beans.queryNames(new ObjectName("*:type=ProtocolHandler,port=" + args[1] + ",*"), null);
            if (handlers.isEmpty()) {
                System.err.println("the process " + args[0] + " has no connector at port " + args[1]);
                System.exit(1);
            }
            for (ObjectName handler : handlers) {
                beans.invoke(handler, "reloadSslHostConfigs", new Object[0], new String[0]);
            }
        }
    }
}

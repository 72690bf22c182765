import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Properties;

import org.quartz.CronScheduleBuilder;
import org.quartz.DisallowConcurrentExecution;
import org.quartz.Job;
import org.quartz.JobBuilder;
import org.quartz.JobExecutionContext;
import org.quartz.Scheduler;
import org.quartz.TriggerBuilder;
import org.quartz.impl.StdSchedulerFactory;

/** A node of a cluster of Quartz: arguments are the JDBC URL, its number, and how many jobs there are. */
public class Quartz {
    @DisallowConcurrentExecution
    public static class Tick implements Job {
        @Override
        public void execute(JobExecutionContext context) {
            Instant now = Instant.now();
            double at = now.getEpochSecond() * 1000.0 + now.getNano() / 1e6;
            System.out.println(context.getJobDetail().getKey().getName() + " " + context.getScheduledFireTime().getTime() + " " + String.format("%.3f", at));
        }
    }

    public static void main(String[] args) throws Exception {
        String url = args[0];
        int number = Integer.parseInt(args[1]);
        int jobs = Integer.parseInt(args[2]);
        if (number == 0) {
            makeTables(url);
        } else {
            awaitTables(url);
        }
        Properties p = new Properties();
        p.setProperty("org.quartz.scheduler.instanceName", "bench");
        p.setProperty("org.quartz.scheduler.instanceId", "node-" + number);
        p.setProperty("org.quartz.scheduler.skipUpdateCheck", "true");
        p.setProperty("org.quartz.threadPool.class", "org.quartz.simpl.SimpleThreadPool");
        p.setProperty("org.quartz.threadPool.threadCount", "25");
        p.setProperty("org.quartz.jobStore.class", "org.quartz.impl.jdbcjobstore.JobStoreTX");
        p.setProperty("org.quartz.jobStore.driverDelegateClass", "org.quartz.impl.jdbcjobstore.PostgreSQLDelegate");
        p.setProperty("org.quartz.jobStore.isClustered", "true");
        p.setProperty("org.quartz.jobStore.clusterCheckinInterval", "7500");
        p.setProperty("org.quartz.jobStore.dataSource", "db");
        p.setProperty("org.quartz.dataSource.db.provider", "hikaricp");
        p.setProperty("org.quartz.dataSource.db.driver", "org.postgresql.Driver");
        p.setProperty("org.quartz.dataSource.db.URL", url);
        p.setProperty("org.quartz.dataSource.db.user", "postgres");
        p.setProperty("org.quartz.dataSource.db.maxConnections", "20");
        Scheduler scheduler = new StdSchedulerFactory(p).getScheduler();
        if (number == 0) {
            for (int i = 0; i < jobs; i++) {
                String name = String.format("job-%03d", i);
                scheduler.scheduleJob(
                        JobBuilder.newJob(Tick.class).withIdentity(name).build(),
                        TriggerBuilder.newTrigger().withIdentity(name).withSchedule(CronScheduleBuilder.cronSchedule("* * * * * ?")).build());
            }
        }
        scheduler.start();
        Thread.currentThread().join();
    }

    static void makeTables(String url) throws Exception {
        try (InputStream in = Scheduler.class.getResourceAsStream("/org/quartz/impl/jdbcjobstore/tables_postgres.sql");
             Connection c = DriverManager.getConnection(url)) {
            c.createStatement().execute(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        }
    }

    static void awaitTables(String url) throws Exception {
        for (int tries = 0; ; tries++) {
            try (Connection c = DriverManager.getConnection(url)) {
                c.createStatement().executeQuery("SELECT count(*) FROM qrtz_triggers").close();
                return;
            } catch (SQLException e) {
                if (tries > 200) {
                    throw e;
                }
                Thread.sleep(100);
            }
        }
    }
}

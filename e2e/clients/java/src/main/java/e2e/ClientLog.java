package e2e;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads in the client's own log what its API does not tell: that a list came by UDP, and whether the thread that
 * applied a change was the receiver of pushes or a poll.
 */
final class ClientLog extends Handler {
    private static final String NAMING = "com.alibaba.nacos.client.naming";
    private static final String PUSH_THREAD = "push.receiver";
    private static final Pattern PUSHED = Pattern.compile("received push data: (.*) from \\S*", Pattern.DOTALL);
    private static final Pattern APPLIED =
            Pattern.compile("(?:init )?(new|removed|modified) ips\\(\\d+\\) service: (.*?) -> (.*)", Pattern.DOTALL);

    private final Wire wire;
    private final SimpleFormatter format = new SimpleFormatter();
    /** The log manager forgets loggers that nobody holds. */
    private static final Logger ROOT = Logger.getLogger("");

    private ClientLog(Wire wire) {
        this.wire = wire;
    }

    static void watch(Wire wire) {
        for (Handler handler : ROOT.getHandlers()) {
            ROOT.removeHandler(handler);
        }
        ROOT.addHandler(new ClientLog(wire));
    }

    @Override
    public void publish(LogRecord record) {
        if (NAMING.equals(record.getLoggerName())) {
            report(record.getMessage());
        }
        if (record.getLevel().intValue() >= Level.WARNING.intValue()) {
            System.err.print(format.format(record));
        }
    }

    private void report(String message) {
        Matcher pushed = PUSHED.matcher(message);
        if (pushed.matches()) {
            wire.write(wire.event("push").put("packet", pushed.group(1)));
            return;
        }
        Matcher applied = APPLIED.matcher(message);
        if (applied.matches()) {
            boolean byPush = Thread.currentThread().getName().contains(PUSH_THREAD);
            ObjectNode event = wire.event("applied").put("by", byPush ? "push" : "poll");
            event.put("change", applied.group(1)).put("key", applied.group(2)).put("hosts", applied.group(3));
            wire.write(event);
        }
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
}

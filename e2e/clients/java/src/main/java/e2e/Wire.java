package e2e;

import com.alibaba.nacos.api.exception.NacosException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Lines of JSON to the one who started the program. */
final class Wire {
    static final ObjectMapper JSON = new ObjectMapper();

    private final OutputStream out;

    private Wire(OutputStream out) {
        this.out = out;
    }

    /** What anybody else prints goes to stderr from here on. */
    static Wire takeStdout() {
        PrintStream stdout = System.out;
        System.setOut(System.err);
        return new Wire(stdout);
    }

    synchronized void write(ObjectNode message) {
        try {
            out.write((JSON.writeValueAsString(message) + "\n").getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    ObjectNode event(String kind) {
        return JSON.createObjectNode().put("event", kind);
    }

    static ObjectNode describe(Throwable error) {
        ObjectNode description = JSON.createObjectNode();
        if (error instanceof NacosException) {
            description.put("code", ((NacosException) error).getErrCode());
            description.put("message", String.valueOf(((NacosException) error).getErrMsg()));
        } else {
            description.put("message", String.valueOf(error));
        }
        return description;
    }
}

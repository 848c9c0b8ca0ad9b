package e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * The official client behind JSON lines: a call {"id":1,"call":"config.get",...} is answered {"id":1,"value":...} or
 * {"id":1,"error":{"code":403,"message":"..."}}; what the client reports by itself are lines with "event". The end of
 * the input ends the program.
 */
public final class Main {
    public static void main(String[] args) throws Exception {
        Wire wire = Wire.takeStdout();
        ClientLog.watch(wire);
        Calls calls = new Calls(wire);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonNode call = Wire.JSON.readTree(line);
            ObjectNode answer = Wire.JSON.createObjectNode().set("id", call.get("id"));
            try {
                answer.set("value", Wire.JSON.valueToTree(calls.perform(call.get("call").asText(), call)));
            } catch (Exception | LinkageError error) {
                answer.set("error", Wire.describe(error));
            }
            wire.write(answer);
        }
        calls.shutDown();
        // Threads of the client that are no daemons would keep the program alive.
        System.exit(0);
    }
}

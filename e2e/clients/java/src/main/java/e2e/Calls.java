package e2e;

import com.alibaba.nacos.api.NacosFactory;
import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.config.listener.Listener;
import com.alibaba.nacos.api.exception.NacosException;
import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.Event;
import com.alibaba.nacos.api.naming.listener.EventListener;
import com.alibaba.nacos.api.naming.listener.NamingEvent;
import com.alibaba.nacos.api.naming.pojo.Instance;
import com.alibaba.nacos.api.naming.pojo.ListView;
import com.alibaba.nacos.common.utils.MD5Utils;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Executor;

/** Each call as the client's API has it; the parameters carry the names that the API gives them. */
final class Calls {
    private static final int TIMEOUT_MS = 5000;

    private final Wire wire;
    private final Map<String, EventListener> namingListeners = new HashMap<>();
    private final Map<String, Listener> configListeners = new HashMap<>();
    private NamingService naming;
    private ConfigService config;

    Calls(Wire wire) {
        this.wire = wire;
    }

    Object perform(String call, JsonNode at) throws Exception {
        switch (call) {
            case "open":
                return open(at);
            case "naming.register":
                naming.registerInstance(service(at), group(at), instance(at.get("instance")));
                return true;
            case "naming.deregister":
                naming.deregisterInstance(service(at), group(at), instance(at.get("instance")));
                return true;
            case "naming.instances":
                return naming.getAllInstances(service(at), group(at), clusters(at), at.get("subscribe").asBoolean());
            case "naming.select":
                return naming.selectInstances(
                        service(at), group(at), clusters(at), at.get("healthy").asBoolean(),
                        at.get("subscribe").asBoolean());
            case "naming.selectOne":
                return naming.selectOneHealthyInstance(service(at), group(at), clusters(at));
            case "naming.subscribe":
                return subscribe(at);
            case "naming.unsubscribe":
                naming.unsubscribe(service(at), group(at), clusters(at), namingListeners.remove(key(at)));
                return true;
            case "naming.services":
                return services(at);
            case "naming.status":
                return naming.getServerStatus();
            case "config.publish":
                return at.hasNonNull("type")
                        ? config.publishConfig(dataId(at), group(at), at.get("content").asText(), at.get("type").asText())
                        : config.publishConfig(dataId(at), group(at), at.get("content").asText());
            case "config.get":
                return config.getConfig(dataId(at), group(at), TIMEOUT_MS);
            case "config.listen":
                return listen(at);
            case "config.unlisten":
                config.removeListener(dataId(at), group(at), configListeners.remove(key(at)));
                return true;
            case "config.remove":
                return config.removeConfig(dataId(at), group(at));
            case "config.status":
                return config.getServerStatus();
            case "md5":
                return MD5Utils.md5Hex(at.get("content").asText(), "UTF-8");
            default:
                throw new IllegalArgumentException("no such call: " + call);
        }
    }

    void shutDown() throws NacosException {
        if (naming != null) {
            naming.shutDown();
        }
        if (config != null) {
            config.shutDown();
        }
    }

    private Object open(JsonNode at) throws NacosException {
        Properties properties = new Properties();
        List<String> servers = new ArrayList<>();
        at.get("servers").forEach(server -> servers.add(server.asText()));
        properties.setProperty("serverAddr", String.join(",", servers));
        properties.setProperty("contextPath", at.get("contextPath").asText());
        // A listener that is added during a poll is looked after when that poll has ended; the least that is allowed.
        properties.setProperty("configLongPollTimeout", "10000");
        if (at.hasNonNull("namespace")) {
            properties.setProperty("namespace", at.get("namespace").asText());
        }
        naming = NacosFactory.createNamingService(properties);
        config = NacosFactory.createConfigService(properties);
        return true;
    }

    private Object subscribe(JsonNode at) throws NacosException {
        EventListener listener = (Event event) -> {
            NamingEvent change = (NamingEvent) event;
            ObjectNode report = wire.event("instances").put("service", service(at)).put("group", group(at));
            report.set("instances", Wire.JSON.valueToTree(change.getInstances()));
            wire.write(report.put("reportedName", change.getServiceName()).put("clusters", change.getClusters()));
        };
        namingListeners.put(key(at), listener);
        naming.subscribe(service(at), group(at), clusters(at), listener);
        return true;
    }

    private Object services(JsonNode at) throws NacosException {
        ListView<String> view =
                naming.getServicesOfServer(at.get("pageNo").asInt(), at.get("pageSize").asInt(), group(at));
        return Map.of("count", view.getCount(), "data", view.getData());
    }

    private Object listen(JsonNode at) throws NacosException {
        Listener listener = new Listener() {
            @Override
            public Executor getExecutor() {
                return null;
            }

            @Override
            public void receiveConfigInfo(String content) {
                wire.write(wire.event("config").put("dataId", dataId(at)).put("group", group(at))
                        .put("content", content));
            }
        };
        configListeners.put(key(at), listener);
        config.addListener(dataId(at), group(at), listener);
        return true;
    }

    private static Instance instance(JsonNode given) {
        Instance instance = new Instance();
        instance.setIp(given.get("ip").asText());
        instance.setPort(given.get("port").asInt());
        instance.setWeight(given.path("weight").asDouble(1));
        instance.setEnabled(given.path("enabled").asBoolean(true));
        instance.setEphemeral(given.path("ephemeral").asBoolean(true));
        instance.setClusterName(given.path("clusterName").asText("DEFAULT"));
        Map<String, String> metadata = new HashMap<>();
        given.path("metadata").fields().forEachRemaining(entry -> metadata.put(entry.getKey(), entry.getValue().asText()));
        instance.setMetadata(metadata);
        return instance;
    }

    private static String service(JsonNode at) {
        return at.get("service").asText();
    }

    private static String group(JsonNode at) {
        return at.path("group").asText("DEFAULT_GROUP");
    }

    private static String dataId(JsonNode at) {
        return at.get("dataId").asText();
    }

    private static List<String> clusters(JsonNode at) {
        List<String> clusters = new ArrayList<>();
        at.path("clusters").forEach(cluster -> clusters.add(cluster.asText()));
        return clusters;
    }

    private static String key(JsonNode at) {
        return group(at) + " " + at.path("service").asText() + " " + at.path("dataId").asText();
    }
}

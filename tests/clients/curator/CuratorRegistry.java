// Curator's service discovery for tests/clients/registry_test.py: java CuratorRegistry HOST:PORT,... BASE SESSION-MS. Reads
// commands, a line each, and answers each with a line that begins with "= ":
//   register NAME ID ADDRESS PORT SSL-PORT PAYLOAD   PORT and SSL-PORT: 0 for none; PAYLOAD: a word, or "-"
//   enable NAME ID | disable NAME ID                 of an instance that was registered here
//   unregister NAME ID
//   names                                            of all services, sorted
//   all NAME                                         each instance with all its fields, by id
//   one NAME ID                                      the same of one of them
//   provided NAME                                    the ids that a ServiceProvider offers, sorted
// The payload is of a class of its own, so that its class stands in the node as Curator writes it.
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;

public final class CuratorRegistry {
  @JsonTypeInfo(use = JsonTypeInfo.Id.CLASS)
  public static final class Details {
    public String word;
    public int length;
  }

  private static ServiceDiscovery<Details> discovery;
  private static final Map<String, ServiceInstance<Details>> registered = new HashMap<>();
  private static final Map<String, ServiceProvider<Details>> providers = new HashMap<>();

  private static ServiceInstanceBuilder<Details> builder(String[] words) throws Exception {
    ServiceInstanceBuilder<Details> builder =
        ServiceInstance.<Details>builder().name(words[1]).id(words[2]).address(words[3]);
    builder.uriSpec(new UriSpec("{scheme}://{address}:{port}"));
    if (!words[4].equals("0")) builder.port(Integer.parseInt(words[4]));
    if (!words[5].equals("0")) builder.sslPort(Integer.parseInt(words[5]));
    if (!words[6].equals("-")) {
      Details details = new Details();
      details.word = words[6];
      details.length = words[6].length();
      builder.payload(details);
    }
    return builder;
  }

  private static String register(String[] words) throws Exception {
    ServiceInstance<Details> instance = builder(words).build();
    discovery.registerService(instance);
    registered.put(words[1] + "/" + words[2], instance);
    return Long.toString(instance.getRegistrationTimeUTC());
  }

  private static String enable(String[] words, boolean enabled) throws Exception {
    ServiceInstance<Details> old = registered.get(words[1] + "/" + words[2]);
    ServiceInstance<Details> changed =
        new ServiceInstance<>(old.getName(), old.getId(), old.getAddress(), old.getPort(), old.getSslPort(), old.getPayload(),
            old.getRegistrationTimeUTC(), old.getServiceType(), old.getUriSpec(), enabled);
    discovery.updateService(changed);
    registered.put(words[1] + "/" + words[2], changed);
    return "done";
  }

  private static String text(ServiceInstance<Details> instance) {
    if (instance == null) return "none";
    Details details = instance.getPayload();
    return String.join(
        " ",
        instance.getName(),
        instance.getId(),
        instance.getAddress(),
        String.valueOf(instance.getPort()),
        String.valueOf(instance.getSslPort()),
        details == null ? "-" : details.word + "/" + details.length,
        Long.toString(instance.getRegistrationTimeUTC()),
        instance.getServiceType().toString(),
        instance.getUriSpec() == null ? "-" : instance.buildUriSpec(),
        instance.isEnabled() ? "enabled" : "disabled");
  }

  private static String all(Collection<ServiceInstance<Details>> instances) {
    Map<String, String> texts = new TreeMap<>();
    for (ServiceInstance<Details> each : instances) texts.put(each.getId(), text(each));
    return String.join("; ", texts.values());
  }

  private static String provided(String name) throws Exception {
    if (!providers.containsKey(name)) {
      ServiceProvider<Details> provider = discovery.serviceProviderBuilder().serviceName(name).build();
      provider.start();
      providers.put(name, provider);
    }
    TreeSet<String> ids = new TreeSet<>();
    for (ServiceInstance<Details> each : providers.get(name).getAllInstances()) ids.add(each.getId());
    // What it picks, in turns, must be among them.
    ServiceInstance<Details> picked = providers.get(name).getInstance();
    if (picked != null && ids.size() > 0 && !ids.contains(picked.getId())) return "picked " + picked.getId() + " of " + ids;
    return String.join(" ", ids);
  }

  private static String answer(String[] words) throws Exception {
    switch (words[0]) {
      case "register":
        return register(words);
      case "enable":
        return enable(words, true);
      case "disable":
        return enable(words, false);
      case "unregister":
        discovery.unregisterService(registered.remove(words[1] + "/" + words[2]));
        return "done";
      case "names":
        return String.join(" ", new TreeSet<>(discovery.queryForNames()));
      case "all":
        return all(discovery.queryForInstances(words[1]));
      case "one":
        return text(discovery.queryForInstance(words[1], words[2]));
      case "provided":
        return provided(words[1]);
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  public static void main(String[] arguments) throws Exception {
    CuratorFramework client =
        CuratorFrameworkFactory.newClient(
            arguments[0], Integer.parseInt(arguments[2]), 15000, new ExponentialBackoffRetry(100, 8));
    client.start();
    // As it is by default, but that it also writes whether an instance is enabled; it reads that in any case.
    discovery =
        ServiceDiscoveryBuilder.builder(Details.class)
            .client(client)
            .basePath(arguments[1])
            .serializer(new JsonInstanceSerializer<>(Details.class, false))
            .build();
    discovery.start();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      try {
        System.out.println("= " + answer(line.split(" ")));
      } catch (Exception error) {
        System.out.println("= failed: " + error);
      }
    }
    for (ServiceProvider<Details> each : providers.values()) each.close();
    discovery.close();
    client.close();
    System.exit(0);
  }
}

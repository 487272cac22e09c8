// ZooKeeper's own client in Java, unmodified, over a connection that is cut while another client writes: what its persistent
// watches are told when it is back. And its reads of several nodes at once. java PersistentWatches HOST:PORT,... prints a
// line for each check; the exit code is the number of those that failed. Waits are for events, with a limit that only
// a fault reaches.
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

public final class PersistentWatches {
  private static final int SESSION_MS = 30_000;
  private static final int LIMIT_S = 60;
  private static int failed = 0;

  // Joins connections to its own port with ones to a server, until it is told to cut them.
  private static final class Proxy implements Closeable {
    private final ServerSocket listener;
    private final List<Socket> open = new ArrayList<>();
    private String target;  // null: nobody is let through

    Proxy(String target) throws IOException {
      this.target = target;
      listener = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
      start(this::accept);
    }

    String address() {
      return "127.0.0.1:" + listener.getLocalPort();
    }

    synchronized void cut() throws IOException {
      target = null;
      for (Socket socket : open) socket.close();
      open.clear();
    }

    synchronized void join(String next) {
      target = next;
    }

    private void accept() {
      try {
        while (true) join(listener.accept());
      } catch (IOException closed) {
        // It is at its end.
      }
    }

    private synchronized void join(Socket client) throws IOException {
      if (target == null) {
        client.close();
        return;
      }
      int colon = target.lastIndexOf(':');
      Socket server = new Socket(target.substring(0, colon), Integer.parseInt(target.substring(colon + 1)));
      open.add(client);
      open.add(server);
      start(() -> pump(client, server));
      start(() -> pump(server, client));
    }

    private static void pump(Socket from, Socket to) {
      byte[] bytes = new byte[65_536];
      try (InputStream in = from.getInputStream(); OutputStream out = to.getOutputStream()) {
        for (int n = in.read(bytes); n >= 0; n = in.read(bytes)) out.write(bytes, 0, n);
      } catch (IOException cut) {
        // The other end goes with it.
      }
    }

    private static void start(Runnable runnable) {
      Thread thread = new Thread(runnable);
      thread.setDaemon(true);
      thread.start();
    }

    @Override
    public void close() throws IOException {
      cut();
      listener.close();
    }
  }

  // What a watch is told, in its order.
  private static final class Told implements Watcher {
    private final List<String> events = new ArrayList<>();

    @Override
    public synchronized void process(WatchedEvent event) {
      if (event.getType() != Event.EventType.None) events.add(event.getType() + " " + event.getPath());
    }

    synchronized List<String> take() {
      List<String> all = new ArrayList<>(events);
      events.clear();
      return all;
    }
  }

  private static void check(String name, Object expected, Object told) {
    boolean same = expected.equals(told);
    if (!same) ++failed;
    System.out.println(same ? "PASS " + name : "FAIL " + name + ": " + told + " instead of " + expected);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static void create(ZooKeeper client, String path) throws Exception {
    client.create(path, bytes(""), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
  }

  // A client, and the states of its connection.
  private static final class Client implements Watcher, AutoCloseable {
    private final LinkedBlockingQueue<Event.KeeperState> states = new LinkedBlockingQueue<>();
    final ZooKeeper zookeeper;

    Client(String address) throws Exception {
      zookeeper = new ZooKeeper(address, SESSION_MS, this);
      await(Event.KeeperState.SyncConnected);
    }

    @Override
    public void process(WatchedEvent event) {
      if (event.getType() == Event.EventType.None) states.add(event.getState());
    }

    void await(Event.KeeperState wanted) throws Exception {
      Event.KeeperState state;
      do {
        state = states.poll(LIMIT_S, TimeUnit.SECONDS);
        if (state == null) throw new IllegalStateException("never " + wanted);
      } while (state != wanted);
    }

    // Events and answers come to one thread, in their order: behind this answer all events were told that came before it.
    void settle() throws Exception {
      CountDownLatch latch = new CountDownLatch(1);
      zookeeper.exists("/", false, (code, path, context, stat) -> latch.countDown(), null);
      if (!latch.await(LIMIT_S, TimeUnit.SECONDS)) throw new IllegalStateException("no answer");
    }

    // The server it is connected to has all that anybody was acknowledged.
    void sync() throws Exception {
      CountDownLatch latch = new CountDownLatch(1);
      zookeeper.sync("/", (code, path, context) -> latch.countDown(), null);
      if (!latch.await(LIMIT_S, TimeUnit.SECONDS)) throw new IllegalStateException("no answer");
    }

    @Override
    public void close() throws InterruptedException {
      zookeeper.close();
    }
  }

  // The connection is cut, the changes are made, and it is joined again, with the server at `next`.
  private interface Changes {
    void make(ZooKeeper writer) throws Exception;
  }

  private static void behind(Client watching, Proxy proxy, ZooKeeper writer, String next, Changes changes) throws Exception {
    watching.settle();
    proxy.cut();
    watching.await(Watcher.Event.KeeperState.Disconnected);
    changes.make(writer);
    try (Client there = new Client(next)) {
      there.sync();
    }
    proxy.join(next);
    watching.await(Watcher.Event.KeeperState.SyncConnected);
    watching.settle();
  }

  private static void watches(List<String> servers) throws Exception {
    try (Client writing = new Client(servers.get(0));
        Proxy proxy = new Proxy(servers.get(0));
        Client watching = new Client(proxy.address())) {
      ZooKeeper writer = writing.zookeeper;
      for (String path : Arrays.asList("/w", "/w/t", "/w/t/set", "/w/t/gone", "/w/p")) create(writer, path);
      Told tree = new Told(), node = new Told();
      watching.zookeeper.addWatch("/w/t", tree, AddWatchMode.PERSISTENT_RECURSIVE);
      watching.zookeeper.addWatch("/w/p", node, AddWatchMode.PERSISTENT);

      writer.setData("/w/t/set", bytes("0"), -1);
      writer.setData("/w/p", bytes("0"), -1);
      watching.sync();
      check("recursive: told while it is connected", Collections.singletonList("NodeDataChanged /w/t/set"), tree.take());
      check("persistent: told while it is connected", Collections.singletonList("NodeDataChanged /w/p"), node.take());

      behind(watching, proxy, writer, servers.get(0), client -> {
        create(client, "/w/t/new");
        create(client, "/w/t/passing");
        client.setData("/w/t/set", bytes("1"), -1);
        client.setData("/w/t/new", bytes("1"), -1);
        client.delete("/w/t/gone", -1);
        client.delete("/w/t/passing", -1);
        create(client, "/w/t/new/below");
        client.setData("/w/t/set", bytes("2"), -1);
        client.setData("/w/p", bytes("1"), -1);
        create(client, "/w/p/child");
      });
      check("recursive: told what it missed, each path once, in the order of the changes",
          Arrays.asList("NodeCreated /w/t/new", "NodeDeleted /w/t/gone", "NodeCreated /w/t/new/below",
              "NodeDataChanged /w/t/set"),
          tree.take());
      check("persistent: told what it missed", Arrays.asList("NodeDataChanged /w/p", "NodeChildrenChanged /w/p"),
          node.take());

      behind(watching, proxy, writer, servers.get(0), client -> {});
      check("recursive: told nothing that it knows", Collections.emptyList(), tree.take());
      check("persistent: told nothing that it knows", Collections.emptyList(), node.take());

      String other = servers.get(servers.size() - 1);
      behind(watching, proxy, writer, other, client -> {
        client.setData("/w/t/set", bytes("3"), -1);
        client.delete("/w/p/child", -1);
        client.delete("/w/p", -1);
      });
      check("recursive: told what it missed, by another server", Collections.singletonList("NodeDataChanged /w/t/set"),
          tree.take());
      check("persistent: told what it missed, by another server", Collections.singletonList("NodeDeleted /w/p"),
          node.take());

      create(writer, "/w/p");
      create(writer, "/w/t/last");
      watching.sync();
      watching.settle();
      check("recursive: watches on", Collections.singletonList("NodeCreated /w/t/last"), tree.take());
      check("persistent: watches on", Collections.singletonList("NodeCreated /w/p"), node.take());
    }
  }

  private static void severalReads(List<String> servers) throws Exception {
    try (Client client = new Client(String.join(",", servers))) {
      ZooKeeper zookeeper = client.zookeeper;
      create(zookeeper, "/r");
      zookeeper.setData("/r", bytes("data"), -1);
      create(zookeeper, "/r/a");
      create(zookeeper, "/r/b");
      List<OpResult> results =
          zookeeper.multi(Arrays.asList(Op.getData("/r"), Op.getChildren("/r"), Op.getData("/none"), Op.getChildren("/r/a")));
      OpResult.GetDataResult data = (OpResult.GetDataResult) results.get(0);
      check("multiRead: data", "data", new String(data.getData(), StandardCharsets.UTF_8));
      check("multiRead: its Stat", zookeeper.exists("/r", false), data.getStat());
      List<String> children = new ArrayList<>(((OpResult.GetChildrenResult) results.get(1)).getChildren());
      Collections.sort(children);
      check("multiRead: children", Arrays.asList("a", "b"), children);
      check("multiRead: a node that there is not", KeeperException.Code.NONODE.intValue(),
          ((OpResult.ErrorResult) results.get(2)).getErr());
      check("multiRead: what stands behind it", Collections.emptyList(),
          ((OpResult.GetChildrenResult) results.get(3)).getChildren());
    }
  }

  public static void main(String[] arguments) throws Exception {
    List<String> servers = Arrays.asList(arguments[0].split(","));
    try {
      watches(servers);
      severalReads(servers);
    } catch (Exception error) {
      ++failed;
      System.out.println("FAIL it ended with " + error);
      error.printStackTrace();
    }
    System.exit(failed);
  }
}

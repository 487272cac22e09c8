// Curator's recipes against a running cluster: java CuratorRecipes HOST:PORT,... Each check prints a line; the exit
// code is the number of those that failed. Waits are for events, with a limit that only a fault reaches.
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.drivers.TracerDriver;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

public final class CuratorRecipes {
  private static final int LIMIT_S = 60;
  private static String servers;
  private static int failures;

  private interface Check {
    void run(CuratorFramework client, String path) throws Exception;
  }

  private static CuratorFramework connect() throws Exception {
    CuratorFramework client =
        CuratorFrameworkFactory.newClient(servers, 15000, 15000, new ExponentialBackoffRetry(100, 8));
    client.start();
    require(client.blockUntilConnected(LIMIT_S, TimeUnit.SECONDS), "connected");
    return client;
  }

  private static void require(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  private static void waitFor(Callable<Boolean> condition, String what) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
    while (!condition.call()) {
      require(System.nanoTime() < end, what);
      Thread.sleep(10);
    }
  }

  private static void await(CountDownLatch latch, String what) throws InterruptedException {
    require(latch.await(LIMIT_S, TimeUnit.SECONDS), what);
  }

  private static void check(String name, Check body) throws Exception {
    String path = "/curator-recipes/" + name.replace(' ', '-') + "-" + System.nanoTime();
    try (CuratorFramework client = connect()) {
      body.run(client, path);
      System.out.println("PASS " + name);
    } catch (Throwable error) {
      ++failures;
      System.out.println("FAIL " + name + ": " + error);
      error.printStackTrace(System.out);
    }
  }

  // Runs the work in `count` threads, each with a client of its own.
  private interface Work {
    void run(CuratorFramework client, int number) throws Exception;
  }

  private static void together(int count, Work work) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(count);
    List<Future<Void>> all = new ArrayList<>();
    for (int i = 0; i < count; ++i) {
      int number = i;
      Callable<Void> task =
          () -> {
            try (CuratorFramework client = connect()) {
              work.run(client, number);
            }
            return null;
          };
      all.add(pool.submit(task));
    }
    for (Future<Void> one : all) one.get(3 * LIMIT_S, TimeUnit.SECONDS);
    pool.shutdown();
  }

  private static void mutex(CuratorFramework client, String path) throws Exception {
    AtomicInteger inside = new AtomicInteger();
    AtomicInteger rounds = new AtomicInteger();
    together(
        4,
        (own, number) -> {
          InterProcessMutex lock = new InterProcessMutex(own, path);
          for (int round = 0; round < 10; ++round) {
            require(lock.acquire(LIMIT_S, TimeUnit.SECONDS), "acquired");
            require(lock.acquire(LIMIT_S, TimeUnit.SECONDS), "acquired again by its holder");
            require(inside.incrementAndGet() == 1, "two inside");
            rounds.incrementAndGet();
            inside.decrementAndGet();
            lock.release();
            lock.release();
          }
        });
    require(rounds.get() == 40, "every round happened");
    InterProcessMutex lock = new InterProcessMutex(client, path);
    lock.acquire();
    try (CuratorFramework other = connect()) {
      require(!new InterProcessMutex(other, path).acquire(100, TimeUnit.MILLISECONDS), "not acquired while held");
    }
    lock.release();
  }

  private static void semaphoreMutex(CuratorFramework client, String path) throws Exception {
    AtomicInteger inside = new AtomicInteger();
    together(
        3,
        (own, number) -> {
          InterProcessSemaphoreMutex lock = new InterProcessSemaphoreMutex(own, path);
          for (int round = 0; round < 5; ++round) {
            require(lock.acquire(LIMIT_S, TimeUnit.SECONDS), "acquired");
            require(inside.incrementAndGet() == 1, "two inside");
            inside.decrementAndGet();
            lock.release();
          }
        });
  }

  private static void readWriteLock(CuratorFramework client, String path) throws Exception {
    AtomicInteger readers = new AtomicInteger();
    AtomicInteger writers = new AtomicInteger();
    together(
        4,
        (own, number) -> {
          InterProcessReadWriteLock lock = new InterProcessReadWriteLock(own, path);
          for (int round = 0; round < 8; ++round) {
            if ((round + number) % 4 == 0) {
              require(lock.writeLock().acquire(LIMIT_S, TimeUnit.SECONDS), "write lock");
              require(writers.incrementAndGet() == 1 && readers.get() == 0, "a writer is alone");
              writers.decrementAndGet();
              lock.writeLock().release();
            } else {
              require(lock.readLock().acquire(LIMIT_S, TimeUnit.SECONDS), "read lock");
              readers.incrementAndGet();
              require(writers.get() == 0, "no writer among readers");
              readers.decrementAndGet();
              lock.readLock().release();
            }
          }
        });
    InterProcessReadWriteLock lock = new InterProcessReadWriteLock(client, path);
    lock.writeLock().acquire();
    require(lock.readLock().acquire(LIMIT_S, TimeUnit.SECONDS), "a writer may read");
    lock.writeLock().release();
    lock.readLock().release();
  }

  private static void semaphore(CuratorFramework client, String path) throws Exception {
    AtomicInteger inside = new AtomicInteger();
    together(
        5,
        (own, number) -> {
          InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(own, path, 2);
          for (int round = 0; round < 5; ++round) {
            Lease lease = semaphore.acquire(LIMIT_S, TimeUnit.SECONDS);
            require(lease != null, "leased");
            require(inside.incrementAndGet() <= 2, "more inside than permits");
            inside.decrementAndGet();
            semaphore.returnLease(lease);
          }
        });
  }

  private static void multiLock(CuratorFramework client, String path) throws Exception {
    List<String> paths = Arrays.asList(path + "/a", path + "/b", path + "/c");
    AtomicInteger inside = new AtomicInteger();
    together(
        3,
        (own, number) -> {
          InterProcessMultiLock lock = new InterProcessMultiLock(own, paths);
          for (int round = 0; round < 3; ++round) {
            require(lock.acquire(LIMIT_S, TimeUnit.SECONDS), "acquired");
            require(inside.incrementAndGet() == 1, "two inside");
            inside.decrementAndGet();
            lock.release();
          }
        });
  }

  private static void leaderLatch(CuratorFramework client, String path) throws Exception {
    CuratorFramework second = connect();
    LeaderLatch first = new LeaderLatch(client, path, "first");
    LeaderLatch other = new LeaderLatch(second, path, "second");
    first.start();
    require(first.await(LIMIT_S, TimeUnit.SECONDS), "the first leads");
    other.start();
    while (other.getParticipants().size() < 2) Thread.onSpinWait();
    require(!other.hasLeadership(), "the second waits");
    require(other.getLeader().getId().equals("first"), "the leader is known by its name");
    first.close();
    require(other.await(LIMIT_S, TimeUnit.SECONDS), "the second leads");
    other.close();
    second.close();
  }

  private static void leaderSelector(CuratorFramework client, String path) throws Exception {
    AtomicInteger leading = new AtomicInteger();
    CountDownLatch turns = new CountDownLatch(6);
    List<LeaderSelector> selectors = Collections.synchronizedList(new ArrayList<>());
    List<CuratorFramework> clients = new ArrayList<>();
    for (int i = 0; i < 3; ++i) {
      CuratorFramework own = connect();
      clients.add(own);
      LeaderSelector selector =
          new LeaderSelector(
              own,
              path,
              new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework ignored) {
                  if (leading.incrementAndGet() == 1) turns.countDown();
                  leading.decrementAndGet();
                }
              });
      selector.autoRequeue();
      selector.start();
      selectors.add(selector);
    }
    await(turns, "six turns, each alone");
    for (LeaderSelector selector : selectors) selector.close();
    for (CuratorFramework own : clients) own.close();
  }

  private static void barriers(CuratorFramework client, String path) throws Exception {
    DistributedBarrier barrier = new DistributedBarrier(client, path + "/single");
    barrier.setBarrier();
    CountDownLatch passed = new CountDownLatch(1);
    CuratorFramework second = connect();
    Thread waiter =
        new Thread(
            () -> {
              try {
                if (new DistributedBarrier(second, path + "/single").waitOnBarrier(LIMIT_S, TimeUnit.SECONDS))
                  passed.countDown();
              } catch (Exception ignored) {
                // The latch stays: that is the failure.
              }
            });
    waiter.start();
    barrier.removeBarrier();
    await(passed, "the waiter passed");
    second.close();
    AtomicInteger entered = new AtomicInteger();
    together(
        3,
        (own, number) -> {
          DistributedDoubleBarrier both = new DistributedDoubleBarrier(own, path + "/double", 3);
          entered.incrementAndGet();
          require(both.enter(LIMIT_S, TimeUnit.SECONDS), "entered");
          require(entered.get() == 3, "all entered");
          require(both.leave(LIMIT_S, TimeUnit.SECONDS), "left");
        });
  }

  // Counts how often Curator asks again because an answer was lost with a connection.
  private static void countRetries(CuratorFramework client, AtomicInteger retries) {
    client.getZookeeperClient().setTracerDriver(
        new TracerDriver() {
          @Override
          public void addTrace(String name, long time, TimeUnit unit) {}

          @Override
          public void addCount(String name, int increment) {
            if (name.equals("retries-allowed")) retries.addAndGet(increment);
          }
        });
  }

  // An increment whose answer was lost may have been done: asked for again its version is another one, and the recipe
  // says that it failed. So each retry explains one increment more than succeeded.
  private static void counters(CuratorFramework client, String path) throws Exception {
    AtomicInteger retries = new AtomicInteger();
    together(
        4,
        (own, number) -> {
          countRetries(own, retries);
          DistributedAtomicLong value =
              new DistributedAtomicLong(own, path + "/long", new ExponentialBackoffRetry(5, 20));
          for (int i = 0; i < 10; ++i) {
            while (!value.increment().succeeded()) Thread.onSpinWait();
          }
        });
    // What others wrote is read from this client's server, which may be behind theirs.
    client.sync().forPath(path);
    long sum = new DistributedAtomicLong(client, path + "/long", new ExponentialBackoffRetry(5, 20)).get().postValue();
    require(sum >= 40 && sum <= 40 + retries.get(), "40 increments are " + sum + ", with " + retries.get() + " retries");
    SharedCount count = new SharedCount(client, path + "/shared", 7);
    count.start();
    require(count.getCount() == 7, "the seed value");
    require(count.trySetCount(count.getVersionedValue(), 8), "set with the version");
    count.close();
  }

  private static void caches(CuratorFramework client, String path) throws Exception {
    client.create().creatingParentsIfNeeded().forPath(path + "/a/b", "1".getBytes());
    LinkedBlockingQueue<String> seen = new LinkedBlockingQueue<>();
    CuratorCache cache = CuratorCache.build(client, path);
    CountDownLatch initialized = new CountDownLatch(1);
    cache
        .listenable()
        .addListener(
            org.apache.curator.framework.recipes.cache.CuratorCacheListener.builder()
                .forInitialized(initialized::countDown)
                .forCreates(node -> seen.add("created " + node.getPath()))
                .forChanges((old, node) -> seen.add("changed " + node.getPath()))
                .forDeletes(node -> seen.add("deleted " + node.getPath()))
                .build());
    cache.start();
    await(initialized, "the cache is full");
    seen.clear();
    client.setData().forPath(path + "/a/b", "2".getBytes());
    require(("changed " + path + "/a/b").equals(seen.poll(LIMIT_S, TimeUnit.SECONDS)), "a change is told");
    client.create().forPath(path + "/a/c");
    require(("created " + path + "/a/c").equals(seen.poll(LIMIT_S, TimeUnit.SECONDS)), "a new node is told");
    client.delete().forPath(path + "/a/c");
    require(("deleted " + path + "/a/c").equals(seen.poll(LIMIT_S, TimeUnit.SECONDS)), "a deletion is told");
    cache.close();

    NodeCache node = new NodeCache(client, path + "/a/b");
    CountDownLatch changed = new CountDownLatch(1);
    node.start(true);
    node.getListenable().addListener(changed::countDown);
    client.setData().forPath(path + "/a/b", "3".getBytes());
    await(changed, "the node's cache is told");
    node.close();

    PathChildrenCache children = new PathChildrenCache(client, path + "/a", true);
    CountDownLatch added = new CountDownLatch(1);
    children.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
    children
        .getListenable()
        .addListener(
            (ignored, event) -> {
              if (event.getData() != null && event.getData().getPath().endsWith("/d")) added.countDown();
            });
    client.create().forPath(path + "/a/d");
    await(added, "the children's cache is told");
    children.close();

    TreeCache tree = new TreeCache(client, path);
    CountDownLatch full = new CountDownLatch(1);
    tree.getListenable()
        .addListener(
            (ignored, event) -> {
              if (event.getType() == org.apache.curator.framework.recipes.cache.TreeCacheEvent.Type.INITIALIZED)
                full.countDown();
            });
    tree.start();
    await(full, "the tree's cache is full");
    require(tree.getCurrentChildren(path + "/a").size() == 2, "two children");
    tree.close();
  }

  private static void nodes(CuratorFramework client, String path) throws Exception {
    PersistentNode ephemeral = new PersistentNode(client, CreateMode.EPHEMERAL, false, path + "/e", "x".getBytes());
    ephemeral.start();
    require(ephemeral.waitForInitialCreate(LIMIT_S, TimeUnit.SECONDS), "created");
    client.delete().forPath(path + "/e");
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
    while (client.checkExists().forPath(path + "/e") == null) require(System.nanoTime() < end, "made again");
    ephemeral.close();
    PersistentTtlNode ttl = new PersistentTtlNode(client, path + "/ttl", 5000, "y".getBytes());
    ttl.start();
    require(ttl.waitForInitialCreate(LIMIT_S, TimeUnit.SECONDS), "a node with a time to live");
    ttl.close();
    GroupMember one = new GroupMember(client, path + "/group", "one");
    one.start();
    while (!one.getCurrentMembers().containsKey("one")) require(System.nanoTime() < end, "a member");
    one.close();
  }

  // The queue's recipe knows no names for what it does: Curator asks again when the answer was lost with the
  // connection, so that an element may be put in twice (the first create was done), or taken out without being given to
  // anybody (the first delete was done, and the second finds nothing). Every retry explains one such element and no more;
  // without one, everything comes out once. The order holds in any case.
  private static void queue(CuratorFramework client, String path) throws Exception {
    AtomicInteger retries = new AtomicInteger();
    countRetries(client, retries);
    final int count = 100;
    SimpleDistributedQueue queue = new SimpleDistributedQueue(client, path);
    for (int i = 0; i < count; ++i) queue.offer(Integer.toString(i).getBytes());
    int next = 0;
    int strange = 0;
    for (byte[] data = queue.poll(); data != null; data = queue.poll()) {
      int element = Integer.parseInt(new String(data));
      require(element >= next - 1, element + " came behind " + (next - 1));
      strange += element < next ? 1 : element - next;
      next = element + 1;
    }
    strange += count - next;
    require(strange <= retries.get(), strange + " elements doubled or gone, with " + retries.get() + " retries");
    System.out.println("  " + strange + " elements doubled or gone, " + retries.get() + " retries");
  }

  private static ServiceInstance<String> instance(String id, int port) throws Exception {
    return ServiceInstance.<String>builder().name("search").id(id).address("10.0.0.1").port(port).payload(id).build();
  }

  private static void serviceDiscovery(CuratorFramework client, String path) throws Exception {
    ServiceDiscovery<String> discovery =
        ServiceDiscoveryBuilder.builder(String.class)
            .client(client)
            .basePath(path)
            .serializer(new JsonInstanceSerializer<>(String.class))
            .build();
    discovery.start();
    ServiceProvider<String> provider = discovery.serviceProviderBuilder().serviceName("search").build();
    provider.start();
    ServiceInstance<String> one = instance("one", 1);
    discovery.registerService(one);
    // The other one is registered by a client that goes away, and its instance with it.
    try (CuratorFramework other = connect()) {
      ServiceDiscovery<String> others =
          ServiceDiscoveryBuilder.builder(String.class).client(other).basePath(path).thisInstance(instance("two", 2)).build();
      others.start();
      waitFor(() -> provider.getAllInstances().size() == 2, "both instances are known");
      require(discovery.queryForInstance("search", "two").getPort() == 2, "an instance by its id");
    }
    waitFor(() -> provider.getAllInstances().size() == 1, "the instance has gone with its client");
    require(provider.getInstance().getId().equals("one"), "the one that is left");
    discovery.unregisterService(one);
    waitFor(() -> provider.getAllInstances().isEmpty(), "nobody is left");
    provider.close();
    discovery.close();
  }

  private static void transactions(CuratorFramework client, String path) throws Exception {
    client.create().creatingParentsIfNeeded().forPath(path);
    List<CuratorTransactionResult> results =
        client
            .transaction()
            .forOperations(
                client.transactionOp().create().forPath(path + "/a", "1".getBytes()),
                client.transactionOp().setData().forPath(path, "2".getBytes()),
                client.transactionOp().check().withVersion(0).forPath(path + "/a"));
    require(results.size() == 3 && results.get(1).getResultStat().getVersion() == 1, "three results");
    try {
      client
          .transaction()
          .forOperations(
              client.transactionOp().delete().forPath(path + "/a"),
              client.transactionOp().check().withVersion(77).forPath(path));
      require(false, "refused");
    } catch (KeeperException.BadVersionException expected) {
      require(client.checkExists().forPath(path + "/a") != null, "nothing of it happened");
    }
  }

  private static void basics(CuratorFramework client, String path) throws Exception {
    Stat stat = new Stat();
    client.create().creatingParentContainersIfNeeded().forPath(path + "/x", "data".getBytes());
    require(new String(client.getData().storingStatIn(stat).forPath(path + "/x")).equals("data"), "read");
    require(stat.getDataLength() == 4 && stat.getVersion() == 0 && stat.getCzxid() == stat.getMzxid(), "its Stat");
    String sequential =
        client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(path + "/s-");
    require(sequential.endsWith("s-0000000001"), "the second child has suffix 1: " + sequential);
    require(client.getChildren().forPath(path).size() == 2, "two children");
    client.delete().guaranteed().deletingChildrenIfNeeded().forPath(path);
    require(client.checkExists().forPath(path) == null, "gone");
  }

  public static void main(String[] arguments) throws Exception {
    servers = arguments[0];
    check("basics", CuratorRecipes::basics);
    check("transactions", CuratorRecipes::transactions);
    check("mutex", CuratorRecipes::mutex);
    check("semaphore mutex", CuratorRecipes::semaphoreMutex);
    check("read-write lock", CuratorRecipes::readWriteLock);
    check("semaphore", CuratorRecipes::semaphore);
    check("multi lock", CuratorRecipes::multiLock);
    check("leader latch", CuratorRecipes::leaderLatch);
    check("leader selector", CuratorRecipes::leaderSelector);
    check("barriers", CuratorRecipes::barriers);
    check("counters", CuratorRecipes::counters);
    check("caches", CuratorRecipes::caches);
    check("nodes", CuratorRecipes::nodes);
    check("queue", CuratorRecipes::queue);
    check("service discovery", CuratorRecipes::serviceDiscovery);
    System.exit(Math.min(failures, 100));
  }
}

// Curator's mutex for tests/client/shared_queue_test.py: java CuratorLock HOST:PORT,... PATH SESSION-MS ROUNDS PROGRAM...
// runs PROGRAM under the lock, with its place's czxid in QUORATE_LOCK_TOKEN, until it has exited with 0 so many times, or
// standard input ends.
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.data.Stat;

public final class CuratorLock {
  private static volatile boolean ending;

  // The node of the lock's place is known to who inherits from it.
  private static final class Mutex extends InterProcessMutex {
    Mutex(CuratorFramework client, String path) {
      super(client, path);
    }

    String place() {
      return getLockPath();
    }
  }

  private static boolean run(List<String> program, long token) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(program);
    builder.redirectOutput(ProcessBuilder.Redirect.INHERIT).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("QUORATE_LOCK_TOKEN", Long.toString(token));
    return builder.start().waitFor() == 0;
  }

  // One turn; whether the program exited with 0. What Curator throws is that connections and sessions are lost: it deletes
  // its node then, as soon as it can.
  private static boolean turn(CuratorFramework client, String path, List<String> program) throws InterruptedException {
    Mutex lock = new Mutex(client, path);
    boolean done = false;
    try {
      lock.acquire();
      Stat place = client.checkExists().forPath(lock.place());
      done = place != null && run(program, place.getCzxid());
    } catch (InterruptedException error) {
      throw error;
    } catch (Exception error) {
      System.err.println("a turn ended with " + error);
    }
    try {
      if (lock.isOwnedByCurrentThread()) lock.release();
    } catch (Exception error) {
      System.err.println("a release ended with " + error);
    }
    return done;
  }

  private static void endWithInput() {
    try {
      while (System.in.read() >= 0) {}
    } catch (IOException ended) {
      // It is at its end all the more.
    }
    ending = true;
  }

  public static void main(String[] arguments) throws Exception {
    String path = arguments[1];
    int sessionMs = Integer.parseInt(arguments[2]);
    int rounds = Integer.parseInt(arguments[3]);
    List<String> program = Arrays.asList(arguments).subList(4, arguments.length);
    Thread input = new Thread(CuratorLock::endWithInput);
    input.setDaemon(true);
    input.start();
    try (CuratorFramework client =
        CuratorFrameworkFactory.newClient(arguments[0], sessionMs, 15000, new ExponentialBackoffRetry(100, 8))) {
      client.start();
      while (!ending && rounds > 0) {
        if (turn(client, path, program)) --rounds;
      }
    }
    System.exit(0);
  }
}

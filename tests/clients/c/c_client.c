/* ZooKeeper's C client (libzookeeper_mt, with THREADED) against a running cluster: c_client HOST:PORT,... Each check
 * prints a line; the exit code is the number of those that failed. After the line READY whoever started it kills the
 * cluster's leader, and sends SIGUSR1 when that is done. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

enum { LIMIT_S = 60, ROUNDS = 200 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int failures;
static char base[128];

/* What a watcher was told. The default watcher of each handle has one of its own. */
struct events {
  int connected, created, deleted, data, child;
  char path[256];
};

static void watcher(zhandle_t* zk, int type, int state, const char* path, void* context) {
  struct events* seen = context;
  (void)zk;
  if (seen == NULL) return;
  pthread_mutex_lock(&mutex);
  if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) ++seen->connected;
  if (type == ZOO_CREATED_EVENT) ++seen->created;
  if (type == ZOO_DELETED_EVENT) ++seen->deleted;
  if (type == ZOO_CHANGED_EVENT) ++seen->data;
  if (type == ZOO_CHILD_EVENT) ++seen->child;
  if (type != ZOO_SESSION_EVENT && path != NULL) snprintf(seen->path, sizeof(seen->path), "%s", path);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

/* Waits until *count is at least `least`; 0 after LIMIT_S. */
static int wait_for(const int* count, int least) {
  struct timespec end;
  int held;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += LIMIT_S;
  pthread_mutex_lock(&mutex);
  while (*count < least && pthread_cond_timedwait(&changed, &mutex, &end) == 0) {
  }
  held = *count >= least;
  pthread_mutex_unlock(&mutex);
  return held;
}

static void check(const char* name, int holds) {
  printf("%s %s\n", holds ? "PASS" : "FAIL", name);
  if (!holds) ++failures;
  fflush(stdout);
}

static const char* at(const char* name) {
  static char paths[4][256];
  static int next;
  char* path = paths[next++ % 4];
  snprintf(path, sizeof(paths[0]), "%s%s", base, name);
  return path;
}

static void nodes(zhandle_t* zk) {
  char data[64], path[256];
  int length = sizeof(data);
  struct Stat stat;
  struct String_vector children;
  check("create", zoo_create(zk, at("/a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof(path)) == ZOK && strcmp(path, at("/a")) == 0);
  check("create again", zoo_create(zk, at("/a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZNODEEXISTS);
  check("create without a parent", zoo_create(zk, at("/no/a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZNONODE);
  check("get", zoo_get(zk, at("/a"), 0, data, &length, &stat) == ZOK && length == 3 && memcmp(data, "one", 3) == 0);
  check("set", zoo_set2(zk, at("/a"), "two!", 4, 0, &stat) == ZOK && stat.version == 1 && stat.dataLength == 4);
  check("set of another version", zoo_set(zk, at("/a"), "x", 1, 0) == ZBADVERSION);
  check("exists", zoo_exists(zk, at("/a"), 0, &stat) == ZOK && zoo_exists(zk, at("/b"), 0, &stat) == ZNONODE);
  check("null data", zoo_create(zk, at("/null"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZOK);
  length = sizeof(data);
  /* -1 where null is told from empty, as ZooKeeper does; docs/zookeeper.md has the difference. */
  check("null data is read as none", zoo_get(zk, at("/null"), 0, data, &length, &stat) == ZOK && length <= 0);
  check("sequential", zoo_create(zk, at("/s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL | ZOO_SEQUENCE, path, sizeof(path)) == ZOK &&
                          strcmp(path, at("/s-0000000002")) == 0);
  check("a child of an ephemeral", zoo_create(zk, strcat(path, "/x"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZNOCHILDRENFOREPHEMERALS);
  check("children", zoo_get_children2(zk, base, 0, &children, &stat) == ZOK && children.count == 3 && stat.numChildren == 3);
  deallocate_String_vector(&children);
  check("delete of what has children", zoo_delete(zk, base, -1) == ZNOTEMPTY);
  check("delete", zoo_delete(zk, at("/null"), 0) == ZOK && zoo_delete(zk, at("/null"), -1) == ZNONODE);
  check("container", zoo_create2_ttl(zk, at("/c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, -1, path, sizeof(path), &stat) == ZOK &&
                         stat.ephemeralOwner == 0);
  check("a time to live", zoo_create2_ttl(zk, at("/t"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 60000, path, sizeof(path), &stat) == ZOK);
  check("a bad path", zoo_create(zk, "/a//b", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZBADARGUMENTS);
}

static void acls(zhandle_t* zk) {
  struct ACL_vector acl;
  struct Stat stat;
  check("the list of a node", zoo_get_acl(zk, at("/a"), &acl, &stat) == ZOK && acl.count == 1 && acl.data[0].perms == ZOO_PERM_ALL);
  deallocate_ACL_vector(&acl);
  check("a list that lets read", zoo_set_acl(zk, at("/a"), 0, &ZOO_READ_ACL_UNSAFE) == ZOK);
  check("no write then", zoo_set(zk, at("/a"), "x", 1, -1) == ZNOAUTH);
  check("an empty list", zoo_create(zk, at("/e"), "", 0, &(struct ACL_vector){0, NULL}, 0, NULL, 0) == ZINVALIDACL);
}

static void multi(zhandle_t* zk) {
  zoo_op_t ops[3];
  zoo_op_result_t results[3];
  struct Stat stat;
  char path[256];
  zoo_create_op_init(&ops[0], at("/m"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof(path));
  zoo_set_op_init(&ops[1], at("/m"), "2", 1, 0, &stat);
  zoo_check_op_init(&ops[2], at("/m"), 1);
  check("multi", zoo_multi(zk, 3, ops, results) == ZOK && results[2].err == ZOK && stat.version == 1);
  zoo_delete_op_init(&ops[0], at("/m"), -1);
  zoo_check_op_init(&ops[1], at("/a"), 77);
  zoo_delete_op_init(&ops[2], at("/a"), -1);
  check("a multi that fails", zoo_multi(zk, 3, ops, results) == ZBADVERSION && results[0].err == ZOK && results[1].err == ZBADVERSION &&
                                  results[2].err == ZRUNTIMEINCONSISTENCY);
  check("changes nothing", zoo_exists(zk, at("/m"), 0, &stat) == ZOK);
}

static void watches(zhandle_t* zk) {
  struct events seen = {0};
  struct Stat stat;
  struct String_vector children;
  zoo_wexists(zk, at("/w"), watcher, &seen, &stat);
  zoo_wget_children(zk, base, watcher, &seen, &children);
  deallocate_String_vector(&children);
  zoo_create(zk, at("/w"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
  check("created is told", wait_for(&seen.created, 1));
  check("a child is told", wait_for(&seen.child, 1));
  zoo_wexists(zk, at("/w"), watcher, &seen, &stat);
  zoo_set(zk, at("/w"), "2", 1, -1);
  check("a change is told", wait_for(&seen.data, 1));
  zoo_set(zk, at("/w"), "3", 1, -1);
  zoo_wexists(zk, at("/w"), watcher, &seen, &stat);
  check("and only once", seen.data == 1);
  check("a watch is removed", zoo_remove_watches(zk, at("/w"), ZWATCHTYPE_DATA, watcher, &seen, 0) == ZOK);
  check("once", zoo_remove_watches(zk, at("/w"), ZWATCHTYPE_DATA, watcher, &seen, 0) == ZNOWATCHER);
  zoo_delete(zk, at("/w"), -1);
}

struct completion {
  int done, wrong;
};
static void count_done(int rc, const struct Stat* stat, const void* context) {
  struct completion* all = (struct completion*)context;
  pthread_mutex_lock(&mutex);
  if (rc != ZOK || stat->version != all->done + 1) ++all->wrong;
  ++all->done;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

/* Requests of one session are done and answered in the order in which they were sent. */
static void order(zhandle_t* zk) {
  struct completion all = {0, 0};
  zoo_create(zk, at("/order"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
  for (int i = 0; i < ROUNDS; ++i) zoo_aset(zk, at("/order"), "x", 1, i, count_done, &all);
  check("requests stay in order", wait_for(&all.done, ROUNDS) && all.wrong == 0);
}

static void sessions(const char* servers) {
  struct events first = {0};
  struct Stat stat;
  zhandle_t* zk = zookeeper_init(servers, watcher, 10000, NULL, &first, 0);
  check("connected", wait_for(&first.connected, 1));
  zoo_create(zk, at("/mine"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0);
  check("an ephemeral node is its session's", zoo_exists(zk, at("/mine"), 0, &stat) == ZOK && stat.ephemeralOwner == zoo_client_id(zk)->client_id);
  zookeeper_close(zk);
  first.connected = 0;
  zk = zookeeper_init(servers, watcher, 10000, NULL, &first, 0);
  check("connected again", wait_for(&first.connected, 1));
  check("and goes when that is closed", zoo_exists(zk, at("/mine"), 0, &stat) == ZNONODE);
  zookeeper_close(zk);
}

/* Whether the leader was killed: SIGUSR1 is blocked in all threads, and waits until it is looked at. */
static int leader_was_killed(void) {
  sigset_t waiting;
  sigpending(&waiting);
  return sigismember(&waiting, SIGUSR1);
}

/* A set that is asked again when its connection was lost; each may be done more than once. */
static int set_for_sure(zhandle_t* zk, const char* path, const char* data) {
  const struct timespec pause = {0, 50 * 1000 * 1000};
  int rc = zoo_set(zk, path, data, (int)strlen(data), -1);
  for (time_t end = time(NULL) + LIMIT_S; rc != ZOK && rc != ZNONODE && time(NULL) < end;) {
    nanosleep(&pause, NULL);
    rc = zoo_set(zk, path, data, (int)strlen(data), -1);
  }
  return rc;
}

/* One client attached anywhere writes all the while; the watches of another are told of what it wrote last. */
static void failover(const char* servers) {
  struct events first = {0}, second = {0}, told = {0};
  struct Stat stat;
  char data[64], got[64];
  int length = sizeof(got), ok = 1, after = 0, rc = ZCONNECTIONLOSS;
  zhandle_t* zk = zookeeper_init(servers, watcher, 10000, NULL, &first, 0);
  zhandle_t* other = zookeeper_init(servers, watcher, 10000, NULL, &second, 0);
  check("two sessions", wait_for(&first.connected, 1) && wait_for(&second.connected, 1));
  const int64_t session = zoo_client_id(zk)->client_id;
  check("a node of one", zoo_create(zk, at("/kept"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0) == ZOK);
  check("a node for both", zoo_create(zk, at("/f"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZOK);
  check("a watch of the other", zoo_wexists(other, at("/last"), watcher, &told, &stat) == ZNONODE);
  puts("READY");
  fflush(stdout);
  for (time_t end = time(NULL) + LIMIT_S; ok && after < ROUNDS && time(NULL) < end;) {
    snprintf(data, sizeof(data), "%d", after);
    ok = set_for_sure(zk, at("/f"), data) == ZOK;
    if (leader_was_killed()) ++after;
  }
  check("writes go on across a killed leader", ok && after == ROUNDS);
  check("in the same session", zoo_client_id(zk)->client_id == session);
  for (time_t end = time(NULL) + LIMIT_S; rc == ZCONNECTIONLOSS && time(NULL) < end;) rc = zoo_exists(zk, at("/kept"), 0, &stat);
  check("whose node is still there", rc == ZOK && stat.ephemeralOwner == session);
  rc = zoo_get(zk, at("/f"), 0, got, &length, &stat);
  check("with what was written last", rc == ZOK && length == (int)strlen(data) && memcmp(got, data, strlen(data)) == 0);
  check("a node for the watch", zoo_create(zk, at("/last"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZOK);
  check("which is told", wait_for(&told.created, 1) && told.created == 1);
  check("both close", zookeeper_close(zk) == ZOK && zookeeper_close(other) == ZOK);
}

int main(int argc, char** argv) {
  struct events seen = {0};
  sigset_t killed;
  if (argc != 2) return 2;
  sigemptyset(&killed);
  sigaddset(&killed, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &killed, NULL);
  zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
  snprintf(base, sizeof(base), "/c-client-%ld", (long)time(NULL));
  zhandle_t* zk = zookeeper_init(argv[1], watcher, 10000, NULL, &seen, 0);
  check("connect", zk != NULL && wait_for(&seen.connected, 1));
  zoo_create(zk, base, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
  nodes(zk);
  acls(zk);
  multi(zk);
  watches(zk);
  order(zk);
  sessions(argv[1]);
  check("close", zookeeper_close(zk) == ZOK);
  failover(argv[1]);
  return failures;
}

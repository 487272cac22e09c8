#include "base/check.h"
#include "base/checksum.h"
#include "kv/tree.h"

namespace quorate::kv {

void Tree::begin() {
  CHECK(!undoable_);
  undoable_ = true;
}

void Tree::keep() {
  CHECK(undoable_);
  undoable_ = false;
  for (Done& done : done_) {
    switch (done.kind) {
      case Done::Kind::kCreated:
        break;
      case Done::Kind::kSet:
        free_payload(done.before);
        break;
      case Done::Kind::kAclSet:
        acls_.release(done.before.acl);
        break;
      case Done::Kind::kRemoved:
        release(done.ref);
        break;
    }
  }
  done_.clear();
}

// The last change first: what a change finds then is what it left, so that a removed node goes back between
// the neighbours it had.
void Tree::undo() {
  CHECK(undoable_);
  undoable_ = false;
  for (; !done_.empty(); done_.pop_back()) undo_one(done_.back());
}

void Tree::undo_one(const Done& done) {
  Node& node = nodes_[done.ref];
  const std::string at = path(done.ref);
  const Place place{at, done.ref};
  const uint64_t path_hash = checksum64(at);
  const uint64_t creates = done.ref == root_ ? 0 : parents_[nodes_[node.parent].part].creates;
  switch (done.kind) {
    case Done::Kind::kCreated:
      unlink(place, creates - 1, done.pzxid);
      release(done.ref);
      return;
    case Done::Kind::kRemoved:
      link(place, creates, done.pzxid);
      return;
    case Done::Kind::kSet:
    case Done::Kind::kAclSet:
      break;
  }
  unschedule(done.ref);
  change_hash(done.ref, -hash_of(done.ref, path_hash));
  if (done.kind == Done::Kind::kSet) {
    count_mode(done.ref, false);
    const int64_t grown = int64_t{done.before.data_size} - int64_t{node.data_size};
    count(at, 0, grown);
    dirty_bytes_ += grown;
    free_payload(node);
    node.payload = done.before.payload;
    node.data_size = done.before.data_size;
    node.null_data = done.before.null_data;
    node.version = done.before.version;
    node.mzxid = done.before.mzxid;
    node.mtime_ms = done.before.mtime_ms;
    count_mode(done.ref, true);
  } else {
    put_acl(node, done.before.acl);
  }
  put_rare(done.ref, done.rare);
  change_hash(done.ref, hash_of(done.ref, path_hash));
  schedule(done.ref);
}

}  // namespace quorate::kv

#include "server/storage/data_folder.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "server/storage/files.h"
#include "server/storage/wal.h"

namespace quorate::server {
namespace {

constexpr uint64_t kIdentityMagic = 0x444c4f46524f5551;  // the bytes "QUORFOLD"
constexpr uint32_t kIdentityVersion = 1;
constexpr size_t kIdentityBytes = 8 + 4 + 4 + 8 + 8 + 8;

struct FolderIdentity {
  ServerId server;
  Incarnation incarnation;
  ClusterId cluster;
};

std::string encode_identity(const FolderIdentity& identity) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u64(kIdentityMagic);
  out.u32(kIdentityVersion);
  out.u32(identity.server.value());
  out.u64(identity.incarnation.value());
  out.u64(identity.cluster.value());
  const uint64_t checksum = checksum64(bytes);
  out.u64(checksum);
  return bytes;
}

Result<FolderIdentity> decode_identity(std::string_view bytes, const std::string& path) {
  const Error damaged{ErrorCode::kCorruption,
                      path +
                          " is damaged; restore it from a backup, or move the whole folder away and let this "
                          "server come back as a new member"};
  if (bytes.size() != kIdentityBytes) return damaged;
  ByteReader in(bytes);
  FolderIdentity identity;
  const uint64_t magic = in.u64();
  const uint32_t version = in.u32();
  identity.server = ServerId(in.u32());
  identity.incarnation = Incarnation(in.u64());
  identity.cluster = ClusterId(in.u64());
  if (in.u64() != checksum64(bytes.substr(0, kIdentityBytes - 8)) || magic != kIdentityMagic) return damaged;
  if (version != kIdentityVersion) {
    return Error{ErrorCode::kUnsupported, path + ": written by a newer version of the server; use that one"};
  }
  return identity;
}

Status write_identity(FileSystem& fs, const std::string& directory, const FolderIdentity& identity) {
  return replace_file(fs, directory, "identity", encode_identity(identity));
}

}  // namespace

Status DataFolder::lock(FileSystem& fs, const std::string& directory) {
  fs_ = &fs;
  directory_ = directory;
  Result<std::unique_ptr<FileLock>> lock = fs.lock(directory + "/LOCK");
  if (lock.code() == ErrorCode::kInUse) {
    return Error{ErrorCode::kInUse,
                 "the data folder " + directory +
                     " is in use by another process; stop it or give this server its own folder"};
  }
  if (!lock.ok()) return lock.error();
  lock_ = std::move(*lock);
  return {};
}

Result<DataFolder> DataFolder::open_existing(FileSystem& fs, const std::string& directory) {
  const std::string path = directory + "/identity";
  if (!fs.exists(path)) {
    return Error{ErrorCode::kNoNode, directory + " is no data folder of a server: correct --data"};
  }
  DataFolder folder;
  if (Status locked = folder.lock(fs, directory); !locked.ok()) return locked.error();
  const Result<std::string> bytes = read_file(fs, path);
  if (!bytes.ok()) return bytes.error();
  const Result<FolderIdentity> identity = decode_identity(*bytes, path);
  if (!identity.ok()) return identity.error();
  folder.server_ = identity->server;
  folder.incarnation_ = identity->incarnation;
  folder.cluster_ = identity->cluster;
  return folder;
}

Result<DataFolder> DataFolder::open(FileSystem& fs, const std::string& directory, ServerId id,
                                    Incarnation fresh_incarnation) {
  CHECK(id.value() != 0);
  CHECK(fresh_incarnation.value() != 0);
  if (Status made = fs.make_directory(directory); !made.ok()) return made.error();
  DataFolder folder;
  if (Status locked = folder.lock(fs, directory); !locked.ok()) return locked.error();

  const std::string path = directory + "/identity";
  FolderIdentity identity{id, fresh_incarnation, ClusterId()};
  Result<std::string> bytes = read_file(fs, path);
  if (bytes.ok()) {
    Result<FolderIdentity> found = decode_identity(*bytes, path);
    if (!found.ok()) return found.error();
    identity = *found;
    // The name may be in memory alone if the process that gave it was killed.
    if (Status synced = fs.sync_directory(directory); !synced.ok()) return synced.error();
  } else if (bytes.code() != ErrorCode::kNoNode) {
    return bytes.error();
  } else if (Wal::exists(fs, folder.wal_directory())) {
    return Error{ErrorCode::kCorruption,
                 path +
                     " is missing though the folder holds a log; restore it from a backup, or "
                     "move the whole folder away and let this server come back as a new member"};
  } else {
    if (Status written = write_identity(fs, directory, identity); !written.ok()) return written.error();
    folder.is_new_ = true;
  }
  if (identity.server != id) {
    return Error{ErrorCode::kWrongServer, "the data folder " + directory + " belongs to server " +
                                              std::to_string(identity.server.value()) + ", not to server " +
                                              std::to_string(id.value()) +
                                              "; start that server here, or give this one its own folder"};
  }
  if (identity.cluster != ClusterId() && !Wal::exists(fs, folder.wal_directory())) {
    return Error{
        ErrorCode::kCorruption,
        folder.wal_directory() +
            " holds no log though this folder is a member's; restore the whole folder from a backup, or "
            "move it away and let this server come back as a new member"};
  }
  folder.server_ = identity.server;
  folder.incarnation_ = identity.incarnation;
  folder.cluster_ = identity.cluster;
  return folder;
}

Status DataFolder::remember_cluster(ClusterId cluster) {
  CHECK(cluster != ClusterId());
  if (cluster_ == cluster) return {};
  CHECK_MSG(cluster_ == ClusterId(), "a folder belongs to one cluster for life");
  if (Status written = write_identity(*fs_, directory_, {server_, incarnation_, cluster}); !written.ok())
    return written;
  cluster_ = cluster;
  return {};
}

}  // namespace quorate::server

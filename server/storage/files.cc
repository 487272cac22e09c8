#include "server/storage/files.h"

#include <memory>
#include <vector>

namespace quorate::server {

Status final_error(const Status& synced) {
  if (synced.code() != ErrorCode::kNoSpace) return synced;
  return Error{ErrorCode::kIo, synced.error().message};
}

Result<std::string> read_file(FileSystem& fs, const std::string& path) {
  Result<std::unique_ptr<File>> file = fs.open(path);
  if (!file.ok()) return file.error();
  Result<uint64_t> size = (*file)->size();
  if (!size.ok()) return size.error();
  return (*file)->read_at(0, *size);
}

Status replace_file(FileSystem& fs, const std::string& directory, const std::string& name,
                    std::string_view bytes) {
  const std::string beside = directory + "/" + name + ".new";
  Result<std::unique_ptr<File>> file = fs.create(beside);
  if (!file.ok()) return file.error();
  if (Status written = (*file)->write_at(0, bytes); !written.ok()) return written;
  if (Status synced = (*file)->sync(); !synced.ok()) return final_error(synced);
  if (Status renamed = fs.rename(beside, directory + "/" + name); !renamed.ok()) return renamed;
  return final_error(fs.sync_directory(directory));
}

Status rename_durably(FileSystem& fs, const std::string& from, const std::string& to) {
  if (Status renamed = fs.rename(from, to); !renamed.ok()) return renamed;
  const size_t slash = to.rfind('/');
  if (slash == std::string::npos) return final_error(fs.sync_directory("."));
  return final_error(fs.sync_directory(slash == 0 ? "/" : to.substr(0, slash)));
}

Status remove_folder(FileSystem& fs, const std::string& directory) {
  Result<std::vector<std::string>> names = fs.list(directory);
  if (names.code() == ErrorCode::kNoNode) return {};
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    if (Status removed = fs.remove_in_parts(directory + "/" + name); !removed.ok()) return removed;
  }
  return fs.remove_directory(directory);
}

}  // namespace quorate::server

// The calls beside the plain ones: subtrees, several at once, pages.
#include <utility>

#include "client/client_impl.h"
#include "client/operations.h"
#include "kv/command.h"
#include "kv/path.h"

namespace quorate::client {

Multi& Multi::create(std::string_view path, std::string_view data, CreateOptions options) {
  operations_.emplace_back(Create{std::string(path), std::string(data), std::move(options)});
  return *this;
}
Multi& Multi::set(std::string_view path, std::string_view data, int32_t version) {
  operations_.emplace_back(Set{std::string(path), std::string(data), version});
  return *this;
}
Multi& Multi::remove(std::string_view path, int32_t version) {
  operations_.emplace_back(Remove{std::string(path), version, false});
  return *this;
}
Multi& Multi::remove_all(std::string_view path) {
  operations_.emplace_back(Remove{std::string(path), kAnyVersion, true});
  return *this;
}
Multi& Multi::set_acl(std::string_view path, Acl acl, int32_t version) {
  operations_.emplace_back(SetAcl{std::string(path), std::move(acl), version});
  return *this;
}
Multi& Multi::check(std::string_view path, int32_t version) {
  operations_.emplace_back(Check{std::string(path), version});
  return *this;
}
Multi& Multi::check_absent(std::string_view path) {
  operations_.emplace_back(CheckAbsent{std::string(path)});
  return *this;
}
Multi& Multi::check_held(std::string_view path, Token token) {
  operations_.emplace_back(CheckHeld{std::string(path), token});
  return *this;
}

namespace {

struct PutOperation {
  api::MultiOperation& out;

  void operator()(const Multi::Create& op) const {
    put_create(op.path, op.data, op.options, *out.mutable_create());
  }
  void operator()(const Multi::Set& op) const {
    out.mutable_set()->set_path(op.path);
    out.mutable_set()->set_data(op.data);
    out.mutable_set()->set_version(op.version);
  }
  void operator()(const Multi::Remove& op) const {
    out.mutable_delete_()->set_path(op.path);
    out.mutable_delete_()->set_version(op.version);
    out.mutable_delete_()->set_recursive(op.recursive);
  }
  void operator()(const Multi::SetAcl& op) const {
    out.mutable_set_acl()->set_path(op.path);
    out.mutable_set_acl()->set_version(op.version);
    put_acl(op.acl, *out.mutable_set_acl()->mutable_acl());
  }
  void operator()(const Multi::Check& op) const {
    out.mutable_check()->set_path(op.path);
    out.mutable_check()->set_version(op.version);
  }
  void operator()(const Multi::CheckAbsent& op) const { out.mutable_check_absent()->set_path(op.path); }
  void operator()(const Multi::CheckHeld& op) const {
    out.mutable_check_held()->set_path(op.path);
    out.mutable_check_held()->set_token(op.token.value());
  }
};

}  // namespace

MultiResult Client::run(const Multi& multi) {
  api::Write operation;
  operation.mutable_multi();
  for (const Multi::Operation& each : multi.operations())
    std::visit(PutOperation{*operation.mutable_multi()->add_operations()}, each);
  // What no server could take, and no frame hold.
  if (multi.operations().size() > kv::kMultiOperationsMax || operation.ByteSizeLong() > kv::kMultiBytesMax) {
    return {{ErrorCode::kTooLarge, "a multi may have " + std::to_string(kv::kMultiOperationsMax) +
                                       " operations of " + std::to_string(kv::kMultiBytesMax) +
                                       " bytes in all: do it in parts"},
            {}};
  }
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  MultiResult out;
  if (!reply.ok()) {
    out.error = reply.error();
    return out;
  }
  out.error = error_of(*reply);
  for (const api::OperationResult& each : reply->outcome().results()) {
    out.results.push_back(
        {{static_cast<ErrorCode>(each.code()), each.message()}, each.path(), stat_of(each.stat())});
  }
  return out;
}

Status Client::remove_all(std::string_view path) {
  if (Status status = kv::validate_path(path); !status.ok()) return status;
  api::Write operation;
  operation.mutable_delete_()->set_path(std::string(path));
  operation.mutable_delete_()->set_version(kAnyVersion);
  operation.mutable_delete_()->set_recursive(true);
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  if (!reply.ok()) return reply.error();
  return {};
}

Result<ChildrenPage> Client::children_page(std::string_view path, const ChildrenPageOptions& options) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  api::ClientFrame frame;
  api::ChildrenPage& ask = *frame.mutable_children_page();
  ask.set_path(std::string(path));
  ask.set_max(options.max);
  ask.set_prefix(options.prefix);
  if (options.after) {
    ask.mutable_after()->set_czxid(options.after->czxid.value());
    ask.mutable_after()->set_order(options.after->order);
    ask.mutable_after()->set_name(options.after->name);
  }
  Result<api::Reply> reply = impl_->read(std::move(frame), nullptr);
  if (!reply.ok()) return reply.error();
  api::ChildrenPageReply& page = *reply->mutable_children_page();
  ChildrenPage out;
  for (std::string& name : *page.mutable_names()) out.names.push_back(std::move(name));
  if (page.has_next())
    out.next = ChildCursor{Zxid(page.next().czxid()), page.next().order(), page.next().name()};
  return out;
}

Status Client::for_each_child(std::string_view path, const std::function<bool(const std::string&)>& visit) {
  ChildrenPageOptions options;
  while (true) {
    const Result<ChildrenPage> page = children_page(path, options);
    if (!page.ok()) return page.error();
    for (const std::string& name : page->names)
      if (!visit(name)) return {};
    if (!page->next) return {};
    options.after = page->next;
  }
}

Result<std::vector<ReadResult>> Client::read_many(const std::vector<ReadRequest>& reads) {
  api::ClientFrame frame;
  frame.mutable_multi_read();
  for (const ReadRequest& each : reads) {
    if (Status status = kv::validate_path(each.path); !status.ok()) return status.error();
    api::MultiReadPart& part = *frame.mutable_multi_read()->add_parts();
    if (each.children) {
      part.mutable_children()->set_path(each.path);
    } else {
      part.mutable_get()->set_path(each.path);
      part.mutable_get()->set_with_data(true);
    }
  }
  Result<api::Reply> reply = impl_->read(std::move(frame), nullptr);
  if (!reply.ok()) return reply.error();
  std::vector<ReadResult> out;
  for (api::ReadResult& each : *reply->mutable_multi_read()->mutable_results()) {
    ReadResult result;
    result.error = {static_cast<ErrorCode>(each.code()), each.message()};
    if (each.has_node()) {
      result.data = std::move(*each.mutable_node()->mutable_data());
      result.stat = stat_of(each.node().stat());
    }
    if (each.has_children()) {
      result.children.assign(each.children().names().begin(), each.children().names().end());
      result.stat = stat_of(each.children().stat());
    }
    out.push_back(std::move(result));
  }
  return out;
}

}  // namespace quorate::client

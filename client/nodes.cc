// The calls that read and write nodes.
#include <algorithm>
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

Call<Result<Created>> AsyncClient::create(std::string_view path, std::string_view data,
                                          const CreateOptions& options) {
  kv::CreateOp asked;
  asked.path = path;
  asked.data = data;
  asked.ephemeral = options.ephemeral;
  asked.sequential = options.sequential;
  asked.parents = options.parents;
  asked.container = options.container;
  if (options.ttl) asked.ttl_ms = options.ttl->count();
  for (const AclEntry& entry : options.acl) asked.acl.push_back({entry.permissions, entry.scheme, entry.id});
  if (Status status = validate(asked); !status.ok())
    return refused_call<Result<Created>>(impl_, status.error());
  api::Write operation;
  put_create(path, data, options, *operation.mutable_create());
  return write_call<Result<Created>>(impl_, std::move(operation), [](Outcome& reply) -> Result<Created> {
    if (!reply.ok()) return reply.error();
    return Created{reply->outcome().path(), stat_of(reply->outcome().stat())};
  });
}

Call<Result<Node>> AsyncClient::get(std::string_view path, Watch* watch) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<Node>>(impl_, status.error());
  api::ClientFrame frame;
  frame.mutable_get()->set_path(std::string(path));
  frame.mutable_get()->set_with_data(true);
  const auto parse = [](Outcome& reply) -> Result<Node> {
    if (!reply.ok()) return reply.error();
    return Node{std::move(*reply->mutable_node()->mutable_data()), stat_of(reply->node().stat())};
  };
  return read_call<Result<Node>>(impl_, std::move(frame), parse, watch == nullptr ? nullptr : watch->state_);
}

Call<Result<std::optional<Stat>>> AsyncClient::exists(std::string_view path, Watch* watch) {
  using Found = std::optional<Stat>;
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<Found>>(impl_, status.error());
  api::ClientFrame frame;
  frame.mutable_get()->set_path(std::string(path));
  const auto parse = [](Outcome& reply) -> Result<Found> {
    if (reply.code() == ErrorCode::kNoNode) return Found();
    if (!reply.ok()) return reply.error();
    return Found(stat_of(reply->node().stat()));
  };
  return read_call<Result<Found>>(impl_, std::move(frame), parse, watch == nullptr ? nullptr : watch->state_);
}

Call<Result<std::vector<std::string>>> AsyncClient::children(std::string_view path, Watch* watch) {
  using Names = std::vector<std::string>;
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<Names>>(impl_, status.error());
  api::ClientFrame frame;
  frame.mutable_children()->set_path(std::string(path));
  const auto parse = [](Outcome& reply) -> Result<Names> {
    if (!reply.ok()) return reply.error();
    Names names(reply->children().names().begin(), reply->children().names().end());
    std::sort(names.begin(), names.end());
    return names;
  };
  return read_call<Result<Names>>(impl_, std::move(frame), parse, watch == nullptr ? nullptr : watch->state_);
}

Call<Result<Stat>> AsyncClient::set(std::string_view path, std::string_view data, int32_t version) {
  if (Status status = validate(kv::SetOp{std::string(path), std::string(data), version}); !status.ok())
    return refused_call<Result<Stat>>(impl_, status.error());
  api::Write operation;
  operation.mutable_set()->set_path(std::string(path));
  operation.mutable_set()->set_data(std::string(data));
  operation.mutable_set()->set_version(version);
  return write_call<Result<Stat>>(impl_, std::move(operation), stat_in);
}

Call<Status> AsyncClient::remove(std::string_view path, int32_t version) {
  if (Status status = validate(kv::DeleteOp{std::string(path), version}); !status.ok())
    return refused_call<Status>(impl_, status.error());
  api::Write operation;
  operation.mutable_delete_()->set_path(std::string(path));
  operation.mutable_delete_()->set_version(version);
  return write_call<Status>(impl_, std::move(operation), status_in);
}

Call<Status> AsyncClient::remove_all(std::string_view path) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Status>(impl_, status.error());
  api::Write operation;
  operation.mutable_delete_()->set_path(std::string(path));
  operation.mutable_delete_()->set_version(kAnyVersion);
  operation.mutable_delete_()->set_recursive(true);
  return write_call<Status>(impl_, std::move(operation), status_in);
}

Call<MultiResult> AsyncClient::run(const Multi& multi) {
  api::Write operation;
  operation.mutable_multi();
  for (const Multi::Operation& each : multi.operations())
    std::visit(PutOperation{*operation.mutable_multi()->add_operations()}, each);
  // What no server could take, and no frame hold.
  if (multi.operations().size() > kv::kMultiOperationsMax || operation.ByteSizeLong() > kv::kMultiBytesMax) {
    return refused_call<MultiResult>(
        impl_, {ErrorCode::kTooLarge, "a multi may have " + std::to_string(kv::kMultiOperationsMax) +
                                          " operations of " + std::to_string(kv::kMultiBytesMax) +
                                          " bytes in all: do it in parts"});
  }
  return write_call<MultiResult>(impl_, std::move(operation), [](Outcome& reply) {
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
  });
}

namespace {

api::ClientFrame page_frame(std::string_view path, const ChildrenPageOptions& options) {
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
  return frame;
}

// Of a page each name goes to `visit`, until that says false, and the next page is asked for.
Take visiting(std::function<bool(const std::string&)> visit) {
  return [visit = std::move(visit)](Outcome& reply, api::ClientFrame& next) {
    if (!reply.ok()) return false;
    const api::ChildrenPageReply& page = reply->children_page();
    for (const std::string& name : page.names())
      if (!visit(name)) return false;
    *next.mutable_children_page()->mutable_after() = page.next();
    return page.has_next();
  };
}

}  // namespace

Call<Result<ChildrenPage>> AsyncClient::children_page(std::string_view path,
                                                      const ChildrenPageOptions& options) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<ChildrenPage>>(impl_, status.error());
  return read_call<Result<ChildrenPage>>(
      impl_, page_frame(path, options), [](Outcome& reply) -> Result<ChildrenPage> {
        if (!reply.ok()) return reply.error();
        api::ChildrenPageReply& page = *reply->mutable_children_page();
        ChildrenPage out;
        for (std::string& name : *page.mutable_names()) out.names.push_back(std::move(name));
        if (page.has_next())
          out.next = ChildCursor{Zxid(page.next().czxid()), page.next().order(), page.next().name()};
        return out;
      });
}

Call<Status> AsyncClient::for_each_child(std::string_view path,
                                         std::function<bool(const std::string&)> visit) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Status>(impl_, status.error());
  return make_call<Status>(impl_, start_exchange(impl_, page_frame(path, {}), visiting(std::move(visit))),
                           status_in);
}

Status Client::for_each_child(std::string_view path, const std::function<bool(const std::string&)>& visit) {
  if (Status status = kv::validate_path(path); !status.ok()) return status;
  Outcome last = impl_->exchange(page_frame(path, {}), visiting(std::ref(visit)));
  return status_in(last);
}

Call<Result<std::vector<ReadResult>>> AsyncClient::read_many(const std::vector<ReadRequest>& reads) {
  using Results = std::vector<ReadResult>;
  api::ClientFrame frame;
  frame.mutable_multi_read();
  for (const ReadRequest& each : reads) {
    if (Status status = kv::validate_path(each.path); !status.ok())
      return refused_call<Result<Results>>(impl_, status.error());
    api::MultiReadPart& part = *frame.mutable_multi_read()->add_parts();
    if (each.children) {
      part.mutable_children()->set_path(each.path);
    } else {
      part.mutable_get()->set_path(each.path);
      part.mutable_get()->set_with_data(true);
    }
  }
  return read_call<Result<Results>>(impl_, std::move(frame), [](Outcome& reply) -> Result<Results> {
    if (!reply.ok()) return reply.error();
    Results out;
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
  });
}

}  // namespace quorate::client

// The canonical bytes of operations: a byte for the kind, the path, then the kind's own fields in the order
// of command.h.
#include "kv/command_view.h"

namespace quorate::kv {
namespace {

constexpr uint8_t kEphemeralFlag = 1;
constexpr uint8_t kSequentialFlag = 2;
constexpr uint8_t kParentsFlag = 4;
constexpr uint8_t kContainerFlag = 8;
constexpr uint8_t kTtlFlag = 16;  // the time to live follows
constexpr uint8_t kAclFlag = 32;  // a list of permissions follows
constexpr uint8_t kOneRecipeFlag = 64;
constexpr uint8_t kNullFlag = 128;  // no data follows

void put_create(std::string& bytes, ByteWriter& out, const OperationView& op) {
  out.u8(static_cast<uint8_t>((op.ephemeral ? kEphemeralFlag : 0) | (op.sequential ? kSequentialFlag : 0) |
                              (op.parents ? kParentsFlag : 0) | (op.container ? kContainerFlag : 0) |
                              (op.ttl_ms ? kTtlFlag : 0) | (op.acl.empty() ? 0 : kAclFlag) |
                              (op.one_recipe ? kOneRecipeFlag : 0) | (op.null_data ? kNullFlag : 0)));
  if (op.ttl_ms) out.i64(*op.ttl_ms);
  if (!op.acl.empty()) append_acl(bytes, op.acl);
  if (!op.null_data) out.string(op.data);
}

void get_create(ByteReader& in, OperationView& op) {
  const uint8_t flags = in.u8();
  op.ephemeral = (flags & kEphemeralFlag) != 0;
  op.sequential = (flags & kSequentialFlag) != 0;
  op.parents = (flags & kParentsFlag) != 0;
  op.container = (flags & kContainerFlag) != 0;
  op.one_recipe = (flags & kOneRecipeFlag) != 0;
  if ((flags & kTtlFlag) != 0) op.ttl_ms = in.i64();
  if ((flags & kAclFlag) != 0) {
    op.acl = read_acl(in);
    if (op.acl.empty()) in.fail();
  }
  op.null_data = (flags & kNullFlag) != 0;
  if (!op.null_data) op.data = in.string();
}

bool in_multi(OperationKind kind) {
  switch (kind) {
    case OperationKind::kCreate:
    case OperationKind::kSet:
    case OperationKind::kDelete:
    case OperationKind::kSetAcl:
    case OperationKind::kCheck:
    case OperationKind::kCheckAbsent:
    case OperationKind::kCheckHeld:
      return true;
    case OperationKind::kAcquire:
    case OperationKind::kAcquireAs:
    case OperationKind::kSetNull:
    case OperationKind::kAcquireMany:
    case OperationKind::kRelease:
    case OperationKind::kUpgrade:
    case OperationKind::kDowngrade:
    case OperationKind::kBreak:
    case OperationKind::kCloseSession:
    case OperationKind::kMulti:
    case OperationKind::kSetQuota:
    case OperationKind::kAddCredential:
      break;
  }
  return false;
}

bool is_acquire(OperationKind kind) {
  return kind == OperationKind::kAcquire || kind == OperationKind::kAcquireAs;
}

void put_place(ByteWriter& out, const PlaceMode& place) {
  out.u8(static_cast<uint8_t>(place.mode));
  out.varint(place.permits);
  out.varint(place.delay_ms);
}

PlaceMode get_place(ByteReader& in) {
  PlaceMode place;
  const uint8_t mode = in.u8();
  if (mode > static_cast<uint8_t>(Mode::kPermit)) in.fail();
  place.mode = static_cast<Mode>(mode);
  const uint64_t permits = in.varint();
  const uint64_t delay_ms = in.varint();
  if (permits > UINT32_MAX || delay_ms > UINT32_MAX) in.fail();
  place.permits = static_cast<uint32_t>(permits);
  place.delay_ms = static_cast<uint32_t>(delay_ms);
  if (place == PlaceMode()) in.fail();
  return place;
}

bool alone(OperationKind kind) {
  return kind != OperationKind::kCheck && kind != OperationKind::kCheckAbsent &&
         kind != OperationKind::kCheckHeld;
}

// `null_data` becomes whether it is one of the kinds without data.
OperationKind get_kind(ByteReader& in, bool& null_data) {
  const auto kind = static_cast<OperationKind>(in.u8());
  null_data = kind == OperationKind::kSetNull;
  return null_data ? OperationKind::kSet : kind;
}

OperationView get_operation(ByteReader& in);

// Looked at first, so that no bytes make get_operation() call itself again and again.
template <class Fits>
void get_operations(ByteReader& in, size_t max, Fits fits, std::vector<OperationView>& operations) {
  const uint64_t count = in.varint();
  // In memory each takes a hundred times its smallest form, so the limit is the decoder's, too.
  if (count > max) in.fail();
  while (operations.size() < count && !in.failed()) {
    ByteReader ahead = in;
    bool null_data = false;
    if (!fits(get_kind(ahead, null_data))) in.fail();
    operations.push_back(get_operation(in));
  }
}

// One of any kind.
OperationView get_operation(ByteReader& in) {
  OperationView op;
  op.kind = get_kind(in, op.null_data);
  if (op.kind == OperationKind::kCloseSession) return op;
  if (op.kind == OperationKind::kAddCredential) {
    op.scheme = in.string();
    op.id = in.string();
    op.super = in.flag();
    return op;
  }
  if (op.kind == OperationKind::kMulti) {
    get_operations(in, kMultiOperationsMax, in_multi, op.operations);
    return op;
  }
  if (op.kind == OperationKind::kAcquireMany) {
    op.wait = in.flag();
    get_operations(in, kLocksAtOnceMax, is_acquire, op.operations);
    return op;
  }
  op.path = in.string();
  switch (op.kind) {
    case OperationKind::kCreate:
      get_create(in, op);
      break;
    case OperationKind::kSet:
      op.version = in.i32();
      if (!op.null_data) op.data = in.string();
      break;
    case OperationKind::kDelete:
      op.version = in.i32();
      op.recursive = in.flag();
      break;
    case OperationKind::kSetAcl:
      op.version = in.i32();
      op.acl = read_acl(in);
      break;
    case OperationKind::kAcquire:
      op.data = in.string();
      break;
    case OperationKind::kAcquireAs:
      op.kind = OperationKind::kAcquire;
      op.data = in.string();
      op.place = get_place(in);
      break;
    case OperationKind::kCheck:
      op.version = in.i32();
      break;
    case OperationKind::kBreak:
    case OperationKind::kCheckHeld:
      op.token = Token(in.varint());
      break;
    case OperationKind::kSetQuota:
      op.limits = read_quota(in);
      break;
    case OperationKind::kRelease:
    case OperationKind::kUpgrade:
    case OperationKind::kDowngrade:
    case OperationKind::kCheckAbsent:
      break;
    default:
      in.fail();
  }
  return op;
}

OperationView named(OperationKind kind, std::string_view path) {
  OperationView view;
  view.kind = kind;
  view.path = path;
  return view;
}

// With the fields that several kinds have.
template <class Op>
OperationView common(OperationKind kind, const Op& op) {
  OperationView view = named(kind, op.path);
  if constexpr (requires { op.data; }) view.data = op.data;
  if constexpr (requires { op.version; }) view.version = op.version;
  if constexpr (requires { op.acl; }) view.acl = op.acl;
  if constexpr (requires { op.null_data; }) view.null_data = op.null_data;
  return view;
}

OperationView viewed(const CreateOp& op) {
  OperationView view = common(OperationKind::kCreate, op);
  view.ephemeral = op.ephemeral;
  view.sequential = op.sequential;
  view.parents = op.parents;
  view.container = op.container;
  view.ttl_ms = op.ttl_ms;
  view.one_recipe = op.one_recipe;
  return view;
}
OperationView viewed(const SetOp& op) { return common(OperationKind::kSet, op); }
OperationView viewed(const DeleteOp& op) {
  OperationView view = common(OperationKind::kDelete, op);
  view.recursive = op.recursive;
  return view;
}
OperationView viewed(const SetAclOp& op) { return common(OperationKind::kSetAcl, op); }
OperationView viewed(const AcquireOp& op) {
  OperationView view = common(OperationKind::kAcquire, op);
  view.place = op.mode;
  return view;
}
OperationView viewed(const AcquireManyOp& op) {
  OperationView view = named(OperationKind::kAcquireMany, {});
  view.wait = op.wait;
  view.operations.reserve(op.locks.size());
  for (const AcquireOp& lock : op.locks) view.operations.push_back(viewed(lock));
  return view;
}
OperationView viewed(const ReleaseOp& op) { return named(OperationKind::kRelease, op.node); }
OperationView viewed(const UpgradeOp& op) { return named(OperationKind::kUpgrade, op.node); }
OperationView viewed(const DowngradeOp& op) { return named(OperationKind::kDowngrade, op.node); }
OperationView viewed(const BreakOp& op) {
  OperationView view = named(OperationKind::kBreak, op.path);
  view.token = op.token;
  return view;
}
OperationView viewed(const CloseSessionOp&) { return named(OperationKind::kCloseSession, {}); }
OperationView viewed(const CheckOp& op) { return common(OperationKind::kCheck, op); }
OperationView viewed(const CheckAbsentOp& op) { return named(OperationKind::kCheckAbsent, op.path); }
OperationView viewed(const CheckHeldOp& op) {
  OperationView view = named(OperationKind::kCheckHeld, op.path);
  view.token = op.token;
  return view;
}
OperationView viewed(const SetQuotaOp& op) {
  OperationView view = named(OperationKind::kSetQuota, op.path);
  view.limits = op.limits;
  return view;
}
OperationView viewed(const AddCredentialOp& op) {
  OperationView view = named(OperationKind::kAddCredential, {});
  view.scheme = op.credential.scheme;
  view.id = op.credential.id;
  view.super = op.super;
  return view;
}
OperationView viewed(const MultiOp& op) {
  OperationView view = named(OperationKind::kMulti, {});
  view.operations.reserve(op.operations.size());
  for (const MultiOp::Part& part : op.operations) {
    view.operations.push_back(std::visit([](const auto& one) { return viewed(one); }, part));
  }
  return view;
}

CreateOp create_of(const OperationView& view) {
  return {std::string(view.path), std::string(view.data), view.ephemeral, view.sequential,
          view.parents,           view.container,         view.ttl_ms,    view.acl,
          view.one_recipe,        view.null_data};
}

AcquireOp acquire_of(const OperationView& view) {
  return {std::string(view.path), std::string(view.data), view.place};
}

// The kinds that a multi may hold. REQUIRES: in_multi(view.kind).
MultiOp::Part part_of(const OperationView& view) {
  std::string path(view.path);
  switch (view.kind) {
    case OperationKind::kSet:
      return SetOp{std::move(path), std::string(view.data), view.version, view.null_data};
    case OperationKind::kDelete:
      return DeleteOp{std::move(path), view.version, view.recursive};
    case OperationKind::kSetAcl:
      return SetAclOp{std::move(path), view.acl, view.version};
    case OperationKind::kCheck:
      return CheckOp{std::move(path), view.version};
    case OperationKind::kCheckAbsent:
      return CheckAbsentOp{std::move(path)};
    case OperationKind::kCheckHeld:
      return CheckHeldOp{std::move(path), view.token};
    default:
      return create_of(view);
  }
}

}  // namespace

OperationView view_of(const Operation& operation) {
  return std::visit([](const auto& op) { return viewed(op); }, operation);
}

Operation operation_of(const OperationView& view) {
  std::string path(view.path);
  switch (view.kind) {
    case OperationKind::kCreate:
      return create_of(view);
    case OperationKind::kSet:
      return SetOp{std::move(path), std::string(view.data), view.version, view.null_data};
    case OperationKind::kDelete:
      return DeleteOp{std::move(path), view.version, view.recursive};
    case OperationKind::kSetAcl:
      return SetAclOp{std::move(path), view.acl, view.version};
    case OperationKind::kAcquire:
      return acquire_of(view);
    case OperationKind::kAcquireMany: {
      AcquireManyOp many;
      many.wait = view.wait;
      for (const OperationView& lock : view.operations) many.locks.push_back(acquire_of(lock));
      return many;
    }
    case OperationKind::kRelease:
      return ReleaseOp{std::move(path)};
    case OperationKind::kUpgrade:
      return UpgradeOp{std::move(path)};
    case OperationKind::kDowngrade:
      return DowngradeOp{std::move(path)};
    case OperationKind::kBreak:
      return BreakOp{std::move(path), view.token};
    case OperationKind::kMulti: {
      MultiOp multi;
      multi.operations.reserve(view.operations.size());
      for (const OperationView& part : view.operations) multi.operations.push_back(part_of(part));
      return multi;
    }
    case OperationKind::kSetQuota:
      return SetQuotaOp{std::move(path), view.limits};
    case OperationKind::kAddCredential:
      return AddCredentialOp{{std::string(view.scheme), std::string(view.id)}, view.super};
    default:
      return CloseSessionOp{};
  }
}

OperationKind kind_in_bytes(const OperationView& op) {
  if (op.kind == OperationKind::kAcquire && op.place != PlaceMode()) return OperationKind::kAcquireAs;
  if (op.kind == OperationKind::kSet && op.null_data) return OperationKind::kSetNull;
  return op.kind;
}

void append_operation(std::string& bytes, const OperationView& op) {
  ByteWriter out(bytes);
  out.u8(static_cast<uint8_t>(kind_in_bytes(op)));
  switch (op.kind) {
    case OperationKind::kCloseSession:
      return;
    case OperationKind::kAcquireMany:
      out.u8(op.wait ? 1 : 0);
      out.varint(op.operations.size());
      for (const OperationView& lock : op.operations) append_operation(bytes, lock);
      return;
    case OperationKind::kMulti:
      out.varint(op.operations.size());
      for (const OperationView& part : op.operations) append_operation(bytes, part);
      return;
    case OperationKind::kAddCredential:
      out.string(op.scheme);
      out.string(op.id);
      out.u8(op.super ? 1 : 0);
      return;
    default:
      out.string(op.path);
  }
  switch (op.kind) {
    case OperationKind::kCreate:
      put_create(bytes, out, op);
      break;
    case OperationKind::kSet:
      out.i32(op.version);
      if (!op.null_data) out.string(op.data);
      break;
    case OperationKind::kDelete:
      out.i32(op.version);
      out.u8(op.recursive ? 1 : 0);
      break;
    case OperationKind::kSetAcl:
      out.i32(op.version);
      append_acl(bytes, op.acl);
      break;
    case OperationKind::kAcquire:
      out.string(op.data);
      if (op.place != PlaceMode()) put_place(out, op.place);
      break;
    case OperationKind::kCheck:
      out.i32(op.version);
      break;
    case OperationKind::kBreak:
    case OperationKind::kCheckHeld:
      out.varint(op.token.value());
      break;
    case OperationKind::kSetQuota:
      append_quota(bytes, op.limits);
      break;
    default:
      break;
  }
}

OperationView read_operation(ByteReader& in) {
  OperationView op = get_operation(in);
  if (!alone(op.kind)) in.fail();
  return op;
}

}  // namespace quorate::kv

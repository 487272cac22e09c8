// The one way into the engine, and what goes it.
#include <utility>

#include "client/client_impl.h"
#include "kv/acl.h"

namespace quorate::client {

namespace {

Error closed() { return {ErrorCode::kShuttingDown, "the client was closed"}; }

void refuse(Engine& engine, Done done, const Error& error) {
  behind_step(engine, std::move(done))({}, error);
}

Result<WriteQueue::Request> request_of(const Credential& credential) {
  if (credential.scheme != "digest") {
    return Error{ErrorCode::kInvalidArgument, "a credential of scheme '" + credential.scheme +
                                                  "' cannot be given; use digest, with user:password"};
  }
  // What no server would take, before it crosses the network.
  if (const Result<std::string> id = kv::digest_id(credential.proof); !id.ok()) return id.error();
  api::AddCredential added;
  added.set_scheme(credential.scheme);
  added.set_proof(credential.proof);
  return WriteQueue::Request(std::move(added));
}

}  // namespace

OnReply behind_step(Engine& engine, Done done) {
  return [&engine, done = std::move(done)](Instant, Outcome reply) mutable {
    engine.tell([done = std::move(done), reply = std::move(reply)]() mutable { done(reply); });
  };
}

Status Client::Impl::refusal(const How& how) const {
  if (!usable.ok()) return usable;
  if (how.waits && loop->on_this_thread())
    return Error{ErrorCode::kInvalidArgument,
                 "a callback of the client must not wait for the client: do it on another thread, or without "
                 "waiting (Client::async)"};
  return {};
}

void Client::Impl::begin(Proof proof, const How& how, Start start, Done done, Room room) {
  if (!how.waits) return begin_at_once(proof, how, std::move(start), std::move(done), room);
  const auto told = std::make_shared<Told>();
  const auto tell = [told, done = std::move(done)](Outcome& outcome) {
    done(outcome);
    told->tell();
  };
  begin_at_once(proof, how, std::move(start), tell, room);
  told->wait(host, kNever);
}

void Client::Impl::begin_at_once(Proof proof, const How& how, Start start, Done done, Room room) {
  const bool admitted = outstanding.fetch_add(1) < options.outstanding_calls_max || room == Room::kAlways;
  if (Status status = refusal(how); !status.ok()) {
    Outcome outcome(status.error());
    return done(outcome);
  }
  const bool posted = loop->post([this, proof, admitted, stop = how.stop, start = std::move(start), done](
                                     Engine& engine, Instant now) mutable {
    if (!admitted) {
      return refuse(engine, std::move(done),
                    {ErrorCode::kLimitReached,
                     "more than " + std::to_string(options.outstanding_calls_max) +
                         " calls of this client are under way (outstanding_calls_max): wait for some"});
    }
    if (proof == Proof::kNotNeeded || is_proven()) return start(engine, now, stop, std::move(done));
    unproven_.push_back([stop, start = std::move(start), done = std::move(done)](
                            Engine& the_engine, Instant at, const Status& proven) mutable {
      if (!proven.ok()) return refuse(the_engine, std::move(done), proven.error());
      start(the_engine, at, stop, std::move(done));
    });
    if (unproven_.size() == 1) prove(engine, now);
  });
  if (posted) return;
  Outcome outcome(closed());
  done(outcome);
}

void Client::Impl::prove(Engine& engine, Instant now) {
  const Result<WriteQueue::Request> request = request_of(options.credentials[proven_]);
  if (!request.ok()) return on_proof(engine, now, request.error());
  engine.write(now, *request, [this, &engine](Instant at, const Outcome& reply) {
    // Not within the engine's step: what waited is asked there.
    const Status proof = reply.ok() ? Status() : Status(reply.error());
    const bool posted =
        loop->post([this, proof](Engine& the_engine, Instant later) { on_proof(the_engine, later, proof); });
    if (!posted) on_proof(engine, at, closed());
  });
}

// With an error, the next one that asks tries again.
void Client::Impl::on_proof(Engine& engine, Instant now, const Status& proof) {
  if (proof.ok() && ++proven_ < options.credentials.size()) return prove(engine, now);
  for (Proven& each : std::exchange(unproven_, {})) each(engine, now, proof);
}

Outcome Client::Impl::read(api::ClientFrame frame) {
  return read_call<Outcome>(shared_from_this(), std::move(frame),
                            [](Outcome& outcome) { return std::move(outcome); })
      .wait();
}

Outcome Client::Impl::exchange(api::ClientFrame frame, const Take& take) {
  while (true) {
    Outcome reply = read(frame);
    if (!take(reply, frame)) return reply;
  }
}

Call<Status> AsyncClient::add_credential(const Credential& credential) {
  Result<WriteQueue::Request> request = request_of(credential);
  if (!request.ok()) return refused_call<Status>(impl_, request.error());
  return write_call<Status>(impl_, std::move(*request), status_in, Proof::kNotNeeded);
}

Start start_write(WriteQueue::Request request) {
  return
      [request = std::move(request)](Engine& engine, Instant now, const std::stop_token&, Done done) mutable {
        engine.write(now, std::move(request), behind_step(engine, std::move(done)));
      };
}

namespace {

// Its id; 0: nobody has the watch any more.
Result<uint64_t> arm(const std::shared_ptr<Client::Impl>& impl, const std::shared_ptr<WatchState>& watch) {
  const std::lock_guard lock(impl->mutex);
  const std::lock_guard watch_lock(watch->mutex);
  if (watch->dropped) return 0;
  if (watch->armed)
    return Error{ErrorCode::kInvalidArgument,
                 "this watch is set already: use another, or wait until it has fired"};
  watch->id = ++impl->last_watch;
  watch->armed = true;
  watch->event.reset();
  watch->client = impl;
  std::erase_if(impl->watches, [](const auto& each) { return each.expired(); });
  impl->watches.push_back(watch);
  return watch->id;
}

void fire(WatchState& watch, const Event& event) {
  std::function<void(const Event&)> callback;
  {
    const std::lock_guard lock(watch.mutex);
    watch.armed = false;
    watch.event = event;
    callback = std::exchange(watch.on_event, nullptr);
    watch.changed.notify_all();
  }
  if (callback) callback(event);
}

struct Exchange {
  Client::Impl& impl;  // outlives its loop
  api::ClientFrame frame;
  Take take;
  Done done;
};

void ask_next(Engine& engine, Instant now, const std::shared_ptr<Exchange>& exchange) {
  engine.read(now, exchange->frame, behind_step(engine, [exchange](Outcome& reply) {
                if (!exchange->take(reply, exchange->frame)) return exchange->done(reply);
                const bool posted = exchange->impl.loop->post(
                    [exchange](Engine& the_engine, Instant later) { ask_next(the_engine, later, exchange); });
                if (posted) return;
                Outcome outcome(closed());
                exchange->done(outcome);
              }));
}

}  // namespace

Start start_exchange(std::shared_ptr<Client::Impl> impl, api::ClientFrame first, Take take) {
  return [&impl = *impl, first = std::move(first), take = std::move(take)](
             Engine& engine, Instant now, const std::stop_token&, Done done) mutable {
    ask_next(engine, now,
             std::make_shared<Exchange>(Exchange{impl, std::move(first), std::move(take), std::move(done)}));
  };
}

Start start_pages(std::shared_ptr<Client::Impl> impl, api::ClientFrame first, TakePage take) {
  const auto take_page = [take = std::move(take), all = std::make_shared<api::Reply>()](
                             Outcome& page, api::ClientFrame& next) {
    if (!page.ok()) return false;
    if (take(*page, next, *all)) return true;
    page = std::move(*all);
    return false;
  };
  return start_exchange(std::move(impl), std::move(first), take_page);
}

Start start_read(std::shared_ptr<Client::Impl> impl, api::ClientFrame frame,
                 std::shared_ptr<WatchState> watch) {
  if (!watch) {
    return
        [frame = std::move(frame)](Engine& engine, Instant now, const std::stop_token&, Done done) mutable {
          engine.read(now, std::move(frame), behind_step(engine, std::move(done)));
        };
  }
  return [weak = std::weak_ptr(impl), frame = std::move(frame), watch = std::move(watch)](
             Engine& engine, Instant now, const std::stop_token&, Done done) mutable {
    const Result<uint64_t> id = arm(weak.lock(), watch);
    if (!id.ok()) return refuse(engine, std::move(done), id.error());
    frame.has_get() ? frame.mutable_get()->set_watch(*id) : frame.mutable_children()->set_watch(*id);
    const bool of_missing = frame.has_get();
    const auto answered = [watch, of_missing, done = std::move(done)](Outcome& reply) {
      if (!reply.ok() && !(reply.code() == ErrorCode::kNoNode && of_missing)) {
        const std::lock_guard lock(watch->mutex);
        watch->armed = false;
        watch->changed.notify_all();
      }
      done(reply);
    };
    engine.read(now, std::move(frame), behind_step(engine, answered),
                [watch](const Event& event) { fire(*watch, event); });
  };
}

}  // namespace quorate::client

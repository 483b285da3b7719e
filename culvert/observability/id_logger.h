#pragma once

#include <string_view>

#include "culvert/base/uuid.h"
#include "culvert/observability/log.h"

namespace culvert::log {

/// Which client, gateway or relay of many an object is about. `key` is a literal: `cid`, `gid`, `relay`.
struct IdField {
    std::string_view key;
    Uuid id;
};

/// A logger of an object of which there are many: each of its lines has a field that tells which one it is. Costs
/// nothing until a line is wanted. An empty key adds none.
class IdLogger {
public:
    IdLogger(Logger logger, const IdField& id) : logger_{logger}, id_{id} {}

    template <typename... T>
    void log(Level level, std::string_view message, const Field<T>&... fields) const {
        if (id_.key.empty()) {
            logger_.log(level, message, fields...);
        } else {
            logger_.log(level, message, field(id_.key, id_.id), fields...);
        }
    }
    template <typename... T>
    void trace(std::string_view message, const Field<T>&... fields) const {
        log(Level::kTrace, message, fields...);
    }
    template <typename... T>
    void debug(std::string_view message, const Field<T>&... fields) const {
        log(Level::kDebug, message, fields...);
    }
    template <typename... T>
    void info(std::string_view message, const Field<T>&... fields) const {
        log(Level::kInfo, message, fields...);
    }
    template <typename... T>
    void warn(std::string_view message, const Field<T>&... fields) const {
        log(Level::kWarn, message, fields...);
    }

private:
    Logger logger_;
    IdField id_;
};

}  // namespace culvert::log

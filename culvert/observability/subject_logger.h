#pragma once

#include <string_view>

#include "culvert/base/uuid.h"
#include "culvert/observability/log.h"

namespace culvert::log {

/// What an object is about: which client, gateway or relay of many. `key` is a literal: `cid`, `gid`, `relay`.
struct Subject {
    std::string_view key;
    Uuid id;
};

/// A logger of an object of which there are many: each of its lines has a field that tells which one it is. Costs
/// nothing until a line is wanted. A subject without a key adds no field.
class SubjectLogger {
public:
    SubjectLogger(Logger logger, const Subject& subject) : logger_{logger}, subject_{subject} {}

    template <typename... T>
    void log(Level level, std::string_view message, const Field<T>&... fields) const {
        if (subject_.key.empty()) {
            logger_.log(level, message, fields...);
        } else {
            logger_.log(level, message, field(subject_.key, subject_.id), fields...);
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
    Subject subject_;
};

}  // namespace culvert::log

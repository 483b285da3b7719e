#include "culvert/admin/people.h"

#include "culvert/portal/text.h"

namespace culvert::admin {

std::optional<portal::Actor> find_by_email(portal::Storage& storage, const portal::Directory& directory,
                                           std::string_view email) {
    std::optional<portal::Actor> found;
    for (const auto& [id, actor] : directory.actors) {
        if (actor.email && portal::equals_text(*actor.email, email) && (!found || storage.find_password(id))) {
            found = actor;
        }
    }
    return found;
}

}  // namespace culvert::admin

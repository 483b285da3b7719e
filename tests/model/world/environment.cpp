#include "tests/model/world/environment.h"

namespace culvert::model {

Environment::Scratch& Environment::scratch() {
    thread_local Scratch scratch = [] {
        Scratch made;
        made.coalescer.set_coalescing(false, false);
        return made;
    }();
    return scratch;
}

}  // namespace culvert::model

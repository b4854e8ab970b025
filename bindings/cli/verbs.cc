// The table of verbs, in the order and the groups of the help.
#include <array>

#include "bindings/cli/verb.h"

namespace npk::cli {
namespace {

constexpr const char* kFiles = "Files in and out";
constexpr const char* kLook = "Looking";
constexpr const char* kRows = "Changing rows";
constexpr const char* kArrays = "Changing arrays";
constexpr const char* kSearch = "Searching";
constexpr const char* kCheck = "Checking";

constexpr std::array kVerbs = {
    Verb{"import", kFiles, "Read an .npy or .txt file into an array; makes the store",
         "npk import vectors.npy features.npk --name embeddings", define_import},
    Verb{"export", kFiles, "Write an array to an .npy or .txt file",
         "npk export features.npk embeddings vectors.npy", define_export},
    Verb{"ls", kLook, "List the arrays", "npk ls features.npk", define_ls},
    Verb{"info", kLook, "Tell all about a store or an array", "npk info features.npk embeddings",
         define_info},
    Verb{"head", kLook, "Print the first rows", "npk head features.npk embeddings -n 5",
         define_head},
    Verb{"rows", kLook, "Print rows by number or slice",
         "npk rows features.npk embeddings 0,5,-1\n  npk rows features.npk embeddings 10:20",
         define_rows},
    Verb{"changes", kLook, "Tell which rows were changed since a commit",
         "npk changes features.npk embeddings --since 0", define_changes},
    Verb{"append", kRows, "Append the rows of a file",
         "npk append features.npk embeddings more.npy", define_append},
    Verb{"replace", kRows, "Replace rows in place by those of a file",
         "npk replace features.npk embeddings fixed.npy --rows 3,17,-1", define_replace},
    Verb{"delete", kRows, "Delete rows, of several arrays in one commit",
         "npk delete features.npk embeddings,labels --rows 10:20", define_delete},
    Verb{"drop", kArrays, "Remove whole arrays", "npk drop features.npk old older", define_drop},
    Verb{"clone", kArrays, "Copy an array to a new one",
         "npk clone features.npk embeddings embeddings-backup", define_clone},
    Verb{"compact", kArrays, "Give the disk space of deleted rows back",
         "npk compact features.npk embeddings", define_compact},
    Verb{"attrs", kArrays, "Print or replace an array's attributes",
         "npk attrs features.npk embeddings --set '{\"model\": \"minilm\"}'", define_attrs},
    Verb{"search", kSearch, "Find the nearest rows",
         "npk search features.npk embeddings --query query.npy -k 5\n"
         "  npk search features.npk embeddings --like postgresql --labels names.txt",
         define_search},
    Verb{"verify", kCheck, "Read every structure of a store and name all damage",
         "npk verify features.npk", define_verify},
    Verb{"torture", kCheck, "Kill writers on this file system, and tell what is lost: nothing",
         "npk torture . --seconds 5", define_torture},
    Verb{"show-config", kCheck, "Print version, SIMD target and what is supported",
         "npk show-config", define_show_config},
};

}  // namespace

std::span<const Verb> verbs() noexcept { return kVerbs; }

}  // namespace npk::cli

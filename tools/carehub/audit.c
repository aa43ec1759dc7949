/* carehub audit: what the log proves, and what it says of a person. */
#include "audit.h"

#include "facts.h"
#include "nouns.h"

const struct command audit_commands[] = {
    {
        .verb = "report",
        .summary = "say who was told what of a person, when, and on which ground",
        .options = {{"patient", "PATIENT", "ssin:NUMBER, SYSTEM|VALUE, or the pseudonym P42"},
                    {"event", "EVENT", "only of this event: its id (a UUID), or its place in the log: 123"},
                    {"purpose", "TEXT", "why; it is kept in the log (no names of patients)"},
                    {"from", "TIME", "since then: 2026-12-31, 2026-12-31T18:00"},
                    {"to", "TIME", "and before then"},
                    {"type", "TYPE", "only of this type: HospitalDischarge…; may be given several times",
                     .repeats = true},
                    {"denials", NULL, "also who was not told, and what is held back"},
                    {"all-names", NULL, "also the names that the policy keeps from reports (report-names)"},
                    {"format", "FORMAT", "without it: text", .words = "text html csv fhir"},
                    {"out", "FILE", "into this file, which only its owner can read"},
                    {"proof", "DIRECTORY",
                     "also a receipt of each entry that the report rests on, into this directory"},
                    LANG_OPTION},
        .detail =
            "In the order of time: what came in about the person, who was told of it, in which role, on which "
            "ground (membership or grant, consent, version of the policy), what became of it and when it was "
            "read; emergency access; who asked the hub about the person; and the changes of the person's team, "
            "consents and settings. Records that were merged into the person's are in it.\n"
            "With --event it says who learned of that event, and who opened it; --patient is not needed then. With "
            "--proof each line can be proved, without the hub and in years: receipts are named by the numbers of "
            "the entries, and say who was told and why, not what. See `carehub audit check-receipt`.\n"
            "For auditors, who give --purpose; and for a client that speaks for the person. A report leaves an "
            "entry in the log, and is in the next one.\n"
            "text, html and the sentences of csv are in the reader's language and speak to the person. html is "
            "one file to read, print or send. csv has the same columns in every language. fhir is a Bundle of "
            "AuditEvents (FHIR R4, profiles of IHE BALP).\n"
            "The policy says which names of professionals a report shows: report-names = person, "
            "role-and-organisation or organisation.\n"
            "If the hub has not sorted the latest entries by person yet, it waits for that as long as --timeout "
            "says, and then says up to where the report is complete.",
        .example = "carehub audit report --patient ssin:85073003328 --purpose 'asked by the person, 2026-17' --lang nl "
                   "--format html --out report.html",
        .run = run_audit_report,
    },
    {
        .verb = "checkpoint",
        .summary = "show the last signed checkpoint of the log",
        .options = {{"wait", NULL, "until it covers every entry that there is now"},
                    {"key", NULL, "show the key that verifies it instead"},
                    {"witnessed", NULL, "show the last one that witnesses have cosigned instead"}},
        .detail = "A checkpoint is the name of the log, the number of its entries and the root of the tree over them, "
                  "signed by the hub (C2SP tlog-checkpoint). Whoever keeps one can tell later whether anything before "
                  "it was changed or taken away: keep one where the hub's operator cannot reach it.\n"
                  "Checkpoints are signed every few seconds if there is something new; see carehubd(8).",
        .example = "carehub audit checkpoint --wait > checkpoint-2026-03-01",
        .run = run_audit_checkpoint,
    },
    {
        .verb = "verify",
        .summary = "check the hub's whole store, or the files of a log alone",
        .options = {{"tiles", "DIRECTORY", "the files in it, without the hub and its keys"},
                    {"key", "KEY", "the hub's verifier key; with --tiles"},
                    {"since", "CHECKPOINT", "an older checkpoint that the log has to begin with; with --tiles"},
                    {"witness", "KEY", "the verifier key of a witness that has to have cosigned it; with --tiles",
                     .repeats = true}},
        .detail =
            "Without --tiles the hub reads every entry, compares it with its leaf, and all leaves with the published "
            "tree and its files; traffic goes first. For auditors.\n"
            "With --tiles everything is computed here, from the files of `carehub audit export` or a copy of the hub's "
            "directory: the signature, every entry, every file below tile/ and the root. All that is wrong is listed, "
            "each with its file and the entries that it is about; a file that belongs to no such tree, and one that "
            "holds more than the checkpoint covers, too. Logs that were begun after a loss, in 2, 3... below the "
            "directory, are verified as well. What is pruned is said: files may be missing only as far as the hub has "
            "signed in minimum-index.\n"
            "With --witness the checkpoint, or the one in checkpoint.witnessed, has to be cosigned soundly; without "
            "it cosignatures are not looked at.",
        .example = "carehub audit verify --tiles /mnt/audit/my-region --key my-region+530d903a+AekyeRrm56...",
        .run = run_audit_verify,
    },
    {
        .verb = "prove",
        .summary = "write a receipt: the proof that an entry is in the log",
        .arguments = {{"EVENT", "its id (a UUID), or the place of any entry in the log: 123"}},
        .options = {{"out", "FILE", "into this file, which only its owner can read"},
                    {"no-content", NULL, "the entry alone: who was told and why, not what"},
                    {"purpose", "TEXT", "why; it is kept in the log (no names of patients)"}},
        .detail = "A receipt is one file that can be checked without the hub, now and in years: it holds the entry, "
                  "what was submitted, and the proof that leads from them to a checkpoint that the hub has signed.\n"
                  "For auditors. It shows content and leaves an entry in the log.\n"
                  "The latest entries get a checkpoint within seconds: it waits for that as long as --timeout says.",
        .example = "carehub audit prove 1042 --out discharge.receipt --purpose 'complaint 2026-17'",
        .run = run_audit_prove,
    },
    {
        .verb = "check-receipt",
        .summary = "check a receipt, without the hub",
        .arguments = {{"FILE", "of `carehub audit prove`; - is standard input"}},
        .options = {{"key", "KEY", "the hub's verifier key; not the one that the file names, but one that you trust",
                     .required = true},
                    {"witness", "KEY", "the verifier key of a witness that has to have cosigned the checkpoint",
                     .repeats = true}},
        .detail = "Computes the leaf from the entry, the content and their salts, the root from the leaf and the "
                  "proof, and verifies the checkpoint's signature. What it shows is what the proof is about.",
        .example = "carehub audit check-receipt discharge.receipt --key my-region+530d903a+AekyeRrm56...",
        .run = run_audit_check_receipt,
    },
    {
        .verb = "consistency",
        .summary = "check that the log of one checkpoint goes on from that of another",
        .arguments = {{"OLD", "a file with the older checkpoint"}, {"NEW", "a file with the newer one"}},
        .options = {{"tiles", "DIRECTORY", "take the tiles from there, not from the hub"},
                    {"key", "KEY", "the hub's verifier key, to check both signatures"},
                    {"witness", "KEY", "the verifier key of a witness that has to have cosigned the newer one",
                     .repeats = true}},
        .detail = "If it does, nothing that the older one covers was changed or taken away. Nothing that the hub sends "
                  "is trusted: the proof has to lead to both roots. Without --key it is not looked at who signed them.",
        .example = "carehub audit consistency checkpoint-2026-03-01 checkpoint-2026-04-01",
        .run = run_audit_consistency,
    },
    {
        .verb = "export",
        .summary = "fetch the log's files: tiles, leaves and checkpoint",
        .options = {{"tiles", "DIRECTORY", "into this directory; what is sound there stays", .required = true},
                    {"generation", "N", "a log before the one that grows: 1 is the first, before any loss"}},
        .detail =
            "The files are those of C2SP tlog-tiles, as any verifier of such logs reads them; a web server can "
            "publish the directory (PROTOCOL.md, section 17, says as which types). Nothing in them identifies a "
            "person: leaves are commitments with "
            "random salts.\n"
            "What is there already is checked too: a file that is damaged or missing is fetched again. The "
            "directory's checkpoint is replaced only when all of it verifies, and the hub's log begins with the one "
            "that is there; otherwise the exit status is not 0. The last checkpoint that witnesses have cosigned is "
            "put into checkpoint.witnessed.\n"
            "A hub that prunes its files (setting prune-tiles) has no more of old entries than hashes over them; a "
            "directory that was exported before keeps all of it, and goes on.",
        .example = "carehub audit export --tiles /mnt/audit/my-region",
        .run = run_audit_export,
    },
    {
        .verb = "witness",
        .summary = "have the checkpoint cosigned by the witnesses of the hub's configuration",
        .options = {{"every", "DURATION", "again and again, until Ctrl-C: 60s, 5m"}},
        .detail =
            "A witness is somebody else's server that remembers the last checkpoint it has seen of a log, and "
            "cosigns the next one only if it goes on from there (C2SP tlog-witness). With it nobody can be shown "
            "another log than others are, and an older copy of hub and log that was put back is noticed.\n"
            "They are named in hub.conf, one line each: witness = \"KEY URL\". A key is an Ed25519 one (type 0x04). "
            "Each has to be told the log's name and its key (`carehub audit checkpoint --key`); and, when a new "
            "log was begun after a loss, the new name.\n"
            "The hub itself talks to no witness. Run this from a timer, or with --every, on any machine that "
            "reaches both; the hub verifies what comes back, and publishes it.",
        .example = "carehub audit witness --every 5m",
        .run = run_audit_witness,
    },
    {
        .verb = "resume",
        .summary = "let the audit log go on after an older copy of the database was put back",
        .options = {{"reason", "TEXT", "what happened; it is kept in the log", .required = true}},
        .detail =
            "A hub whose database is behind its last published checkpoint, or has other entries, signs nothing: "
            "`carehub status` says so. With this a new log begins, with a number behind its name, that holds "
            "all entries that the hub has; the files of the old one stay as they are.\n"
            "The same goes for a hub whose log a witness refuses, because hub and log were put back together; that "
            "one goes on signing until then.\n"
            "For auditors. If the right database can still be put in place, do that instead: nothing is to be "
            "resumed then.",
        .example = "carehub audit resume --reason 'disk failure on 1 March; backup of 28 February put back'",
        .run = run_audit_resume,
    },
    {0},
};

"""The words that generated worlds are made of, awkward ones included."""

FIRST = (
    "Ana", "Bao", "Chidi", "Dagný", "Elif", "Farid", "Greta", "Hiro", "Ingrid", "João", "Kwame", "Lucía",
    "Mei", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Søren", "Tariq", "Uma", "Viktor", "Wanjiru",
    "Ximena", "Yusuf", "Zoë", "محمد", "נועה", "Анна", "美咲", "Jean-Luc", "D'Arcy",
)  # fmt: skip
LAST = (
    "Abara", "Brandt", "Castillo", "Demir", "Eriksen", "Fontaine", "García", "Haddad", "Ivanova", "Jansen",
    "Kowalski", "Lindqvist", "Moreau", "Nakamura", "O'Neill", "Petrov", "Quispe", "Rossi", "Šimić", "Tanaka",
    "Usman", "Vega", "Weiß", "Xu", "Yıldız", "Zimmermann",
)  # fmt: skip
VERBS = (
    "Draft", "Review", "Fix", "Plan", "Publish", "Translate", "Test", "Measure", "Call", "Order", "Archive",
    "Redesign", "Migrate", "Approve", "Invoice", "Interview", "Sketch", "Rehearse", "Refactor", "Announce",
)  # fmt: skip
THINGS = (
    "landing page", "quarterly report", "onboarding mails", "billing service", "press kit",
    "warehouse shelves",
    "login flow", "customer survey", "conference talk", "api limits", "kitchen rota", "data retention",
    "price list", "search index", "holiday calendar", "trade-fair stand", "payment reminders", "style guide",
)  # fmt: skip
TAILS = (
    "", "", "", "", "", "", " for spring", " (again)", " 🚀", " – v2", " \"as discussed\"", " & friends",
    " 100 %", " <urgent>", " \\ backslash", " مع الفريق", " עם הצוות", " 日本向け", ", part two", " 👩🏽‍💻",
)  # fmt: skip
PROJECTS = (
    "Website relaunch", "Hiring", "Roadmap", "Incident log", "Trade fair", "Newsletter", "Office move",
    "Bug triage", "Customer interviews", "Budget", "Brand refresh", "Field research", "Partner programme",
)  # fmt: skip
TEAMS = (
    "Marketing", "Engineering", "Operations", "Design", "Sales", "People & Culture", "Finance", "Support",
    "Research 🔬", "مشاريع", "Legal", "Field team",
)  # fmt: skip
SECTIONS = ("To do", "Doing", "Blocked", "Review", "Done", "Ideas 💡", "Someday", "Untitled section")
TAGS = (
    "urgent", "waiting", "idea", "customer", "bug", "tech-debt", "legal", "q1", "q2", "quick win", "🔥 hot",
    "needs design", "blocked?", "מחר", "a tag with, a comma", "Tag \"quoted\"", "easy", "travel",
)  # fmt: skip
COLORS = (
    "dark-pink", "dark-green", "dark-blue", "dark-red", "dark-teal", "dark-brown", "dark-orange",
    "dark-purple", "light-pink", "light-green", "light-blue", "light-red", "light-teal",
    "light-brown", "light-orange",
)  # fmt: skip
ICONS = ("list", "board", "timeline", "calendar", "rocket", "people", "graph", "star", "bug", "light_bulb")
OPTION_COLORS = ("red", "orange", "yellow-orange", "yellow", "green", "blue-green", "aqua", "blue", "indigo")
STICKERS = ("green_checkmark", "people_dancing", "dancing_unicorn", "heart", "party_popper", "trophy")
EMOJI = (("👍", "👍🏽"), ("🎉", "🎉"), ("❤️", "❤️"), ("👀", "👀"), ("🙏", "🙏🏿"))
REMARKS = (
    "Looks good to me.", "Could you take another look?", "Done, see the attachment.",
    "Waiting for the supplier.",
    "Merci !\nOn avance.", "שלום, מתי זה מוכן?", "这个我来处理。", "I moved the date; tell me if that hurts.",
    "\"Quoted\" and <tagged> & escaped", "👍👍👍", "Costs are up 12 %.", "See https://example.com/a?b=c&d=e",
    "Tabs\tand\nnewlines\r\nhere", "Reminder: the demo is tomorrow.", "Why did we decide this?",
)  # fmt: skip
FILES = (
    "brief.pdf", "mock-up final (2).png", "numbers.xlsx", "notizen.txt", "صورة.jpg", "recording.mp4",
    "plan.docx",
    "export, with comma.csv", "日程表.pdf", "archive.tar.gz",
)  # fmt: skip
HOSTS = ("asana", "asana", "asana", "gdrive", "external", "dropbox", "onedrive", "box", "vimeo")
AGENTS = ("Launch planner", "Bug sorter", "Brief writer", "Risk watcher")
LONG_NOTE = ("All that was said in the meeting, written down word by word. " * 1000)[:60_000]

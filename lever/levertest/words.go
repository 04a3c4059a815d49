package levertest

// The invented vocabulary of the account. The odd ones are there on purpose: apostrophes, several alphabets,
// marks, emoji, words of one letter.
var (
	firstNames = []string{
		"Ada", "Björn", "Chiara", "Dwayne", "Éloïse", "Farid", "Gwen", "Hana", "Ines", "Jo", "Kofi", "Lena",
		"Márton", "Nia", "Olu", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Viktor", "Wen", "Ximena",
		"Yusuf", "Zoë", "Anna Maria", "Jean-Luc", "李", "Мария", "محمد", "X", "D'Arcy", "Łukasz", "Ngọc",
	}
	lastNames = []string{
		"Example", "O'Sample", "Testová", "van der Muster", "Specimen", "Fictive", "Nobody", "García Ejemplo",
		"Smith-Invented", "Ó Samhlach", "Beispiel", "Exempel", "Příklad", "Örnek", "サンプル", "Пример",
		"de la Prueba", "Mock", "Placeholder", "Imaginary", "Sample Jr.", "Nowhere", "Ipsum", "Quux", "Zzyzx",
	}
	oddNames  = []string{"Cher", "Ada 🚀 Example", "  ", "Dr. Ada B. C. Example III", "\"Quoted\" Example", "A", "王小明", "Back\\Slash Example"}
	headlines = []string{
		"Senior Engineer at Example & Sons", "Student", "Product <Lead>", "Head of Nothing, Nowhere Inc.", "Freelancer",
		"Account Executive — EMEA", "Ingénieur logiciel", "🦄 whisperer", "Nurse", "Data Scientist | ex-Sample", "",
	}
	companies = []string{"Example GmbH", "Sample & Co", "Nowhere Inc.", "Fictive Ltd", "Ångström AB", "株式会社サンプル"}
	cities    = []string{
		"Leeds", "San Francisco, CA", "Berlin", "São Paulo", "Remote", "Kraków", "東京", "New York, NY", "Nairobi",
		"Montréal, QC", "Reykjavík", "Sydney NSW",
	}
	departments = []string{"Engineering", "Research & Development", "Sales", "G&A", "People", "Customer Success", "Vertrieb"}
	teams       = []string{"Platform", "Mobile", "Enterprise", "Finance", "Talent", "Support", "Data", "Field Sales"}
	titles      = []string{
		"Software Engineer", "Account Executive", "UX Designer", "Data Scientist", "Recruiter", "Office Manager",
		"Product Manager", "Support Specialist", "Site Reliability Engineer", "Ingénieur·e qualité", "VP of Human Resources",
	}
	levels      = []string{"", "Senior ", "Junior ", "Staff ", "Lead "}
	commitments = []string{"Full-time", "Part-time", "Full-Time", "Internship", "Contract"}
	tagWords    = []string{
		"Test", "another tag", "Full-time", "Full-Time", "relocation", "VIP", "silver medalist", "Referral?", "2nd choice",
		"Go", "golang", "Ünïcödé", "🔥", "needs visa", "ex-intern", "conference 2024", "do not contact",
	}
	sourceWords = []string{"LinkedIn", "Referral", "Job site", "Added manually", "Indeed", "University fair", "Agency: Example", "GitHub", "Posting", "Sourced"}
	origins     = []string{"applied", "applied", "applied", "sourced", "sourced", "referred", "agency", "internal", "university"}
	roles       = []string{"super admin", "admin", "team member", "team member", "team member", "limited team member", "interviewer", "interviewer", "Recruiting Coordinator"}
	timezones   = []string{"America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo", "Etc/UTC"}
	places      = []string{"", "Room 1", "Call - 555 0100", "https://meet.example.com/abc", "Büro 3. OG"}
	subjects    = []string{"Phone screen", "On-site interview", "Technical interview", "Chat with the team"}
	notes       = []string{"Called, no answer.", "Very good impression.", "Asks for more time.", "Ø availability until May"}
	phoneKinds  = []string{"mobile", "home", "work", "", "-"}
	fileNames   = []string{"cover_letter.pdf", "Cover Letter final.docx", "portfolio.pdf", "certificate.png", "Zeugnis (Übersetzung).pdf", "notes.txt"}
	linkForms   = [][2]string{ // around a number
		{"linkedin.com/in/example"}, {"https://www.linkedin.com/in/example"}, {"https://github.com/example"}, {"http://example.com/~"},
		{"twitter.com/ex"}, {"https://medium.com/@ex"}, {"https://x.com/ex"}, {"https://dribbble.com/ex"}, {"ex", ".wordpress.com"},
		{"example.com/portfolio?a=1&b=", "&c=2"},
	}
)
